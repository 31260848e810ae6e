using System.CommandLine;
using Postern.Host.Demo;

namespace Postern.Host.Cli;

/// <summary><c>postern demo</c>: the gateway here, the sandbox and Skyline as processes of their own, all on loopback.</summary>
internal static class DemoCommand
{
    public static Command Create()
    {
        var state = new Option<DirectoryInfo>("--state")
        {
            Description = "Where the demo keeps its databases and keys.",
            DefaultValueFactory = _ => new DirectoryInfo(".postern"),
        };
        var fresh = new Option<bool>("--fresh") { Description = "Begin anew: forget the state of earlier runs." };
        var accessToken = new Option<int>("--access-token-seconds") { Description = "Lifetime of the sandbox's access tokens.", DefaultValueFactory = _ => 3600 };
        var command = new Command("demo", "Runs Postern, the sandbox and the sample host application on this machine.") { state, fresh, accessToken };
        command.SetAction((result, cancellation) => DemoRun.RunAsync(
            result.GetValue(state)!, result.GetValue(fresh), result.GetValue(accessToken), result.InvocationConfiguration.Output, result.InvocationConfiguration.Error, cancellation));
        return command;
    }
}
