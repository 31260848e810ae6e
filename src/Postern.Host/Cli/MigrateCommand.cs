using System.CommandLine;
using Postern.Host.Composition;
using Postern.Store;

namespace Postern.Host.Cli;

/// <summary><c>postern migrate</c>: brings the database's schema up to date and ends.</summary>
internal static class MigrateCommand
{
    public static Command Create()
    {
        var config = Configured.ConfigOption();
        var command = new Command("migrate", "Brings the database's schema up to date. Any number of nodes may do so at once.") { config };
        command.SetAction((result, cancellation) => Configured.RunAsync(result, config, async (settings, output) =>
        {
            settings.Store.MakeFolder();
            await using var rooms = PosternApplication.BuildRooms(settings);
            await rooms.GetRequiredService<PosternStore>().MigrateAsync(cancellation);
            await output.WriteLineAsync("The schema is up to date.");
            return Configured.Ok;
        }));
        return command;
    }
}
