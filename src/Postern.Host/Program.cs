using System.CommandLine;
using Postern.Host.Cli;

return await new RootCommand("Postern: every dashboard query runs in the warehouse as the person who looks at it, and no token reaches a browser.")
{
    ServeCommand.Create(),
    DemoCommand.Create(),
    MigrateCommand.Create(),
    RedirectsCommand.Create(),
    GrantsCommand.Create(),
    AuditCommand.Create(),
    WorkbookCommand.Create(),
}.Parse(args).InvokeAsync();
