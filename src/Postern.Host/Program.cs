using System.CommandLine;
using Postern.Host.Cli;
using Postern.Host.Composition;

// First of all, before there is anything to see. Verbs end soon; a node stays.
ProcessShield.Raise(diagnostics: args is ["serve", ..]);

// Without this a process that is told to end has two seconds, less than a node needs to let its queries finish.
return await PosternCommand.Create().Parse(args).InvokeAsync(new InvocationConfiguration { ProcessTerminationTimeout = TimeSpan.FromSeconds(60) });
