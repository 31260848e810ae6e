using Postern.Host.Cli;

return await PosternCommand.Create().Parse(args).InvokeAsync();
