using System.CommandLine;
using Postern.Sandbox.Cli;

return await new RootCommand(
    "Authorization servers and a data platform to try Postern against. Nothing here is secret, nothing here is safe.")
{
    ServeCommand.Create(),
    MintCommand.Create(),
    FaultCommand.Create(),
}.Parse(args).InvokeAsync();
