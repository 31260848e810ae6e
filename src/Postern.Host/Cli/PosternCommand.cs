using System.CommandLine;

namespace Postern.Host.Cli;

/// <summary>The <c>postern</c> command with all its verbs.</summary>
internal static class PosternCommand
{
    public static RootCommand Create() => new("Postern: every dashboard query runs in the warehouse as the person who looks at it, and no token reaches a browser.")
    {
        ServeCommand.Create(),
        DemoCommand.Create(),
        MigrateCommand.Create(),
        RedirectsCommand.Create(),
        GrantsCommand.Create(),
        AuditCommand.Create(),
        VaultCommand.Create(),
        WorkbookCommand.Create(),
    };
}
