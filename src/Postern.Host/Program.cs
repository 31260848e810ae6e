using System.CommandLine;
using Postern.Host.Cli;

// Without this a process that is told to end has two seconds, less than a node needs to let its queries finish.
return await PosternCommand.Create().Parse(args).InvokeAsync(new InvocationConfiguration { ProcessTerminationTimeout = TimeSpan.FromSeconds(60) });
