using System.Diagnostics;
using System.Text.Json.Nodes;
using Postern.Grants.Tests.Support;

namespace Postern.Grants.Tests.Keys;

/// <summary><c>postern vault …</c> as a process of its own, over a rig's database and keyring.</summary>
internal sealed class VaultVerb
{
    private readonly string program = Path.GetFullPath(Path.Combine(
        AppContext.BaseDirectory, "..", "..", "Postern.Host", Path.GetFileName(AppContext.BaseDirectory.TrimEnd('/')), "postern.dll"));

    private readonly string config;

    /// <param name="rig">The rig.</param>
    /// <param name="keyStore">Its key store as the configuration has it; the keyring when null.</param>
    public VaultVerb(Rig rig, JsonObject? keyStore = null)
    {
        var options = rig.Database.Options;
        // The demo's tenants stand in it and are not looked at: what is in the database counts.
        var demo = JsonNode.Parse(File.ReadAllText(Path.Combine(Path.GetDirectoryName(program)!, "Demo", "postern.demo.json")))!;
        demo["Postern"]!["Store"] = new JsonObject
        {
            ["Provider"] = options.Provider.ToString().ToLowerInvariant(),
            ["ConnectionString"] = options.ConnectionString,
        };
        keyStore ??= new JsonObject { ["Provider"] = "file", ["Directory"] = rig.Keys };
        keyStore["Deployment"] = "test";
        demo["Postern"]!["KeyStore"] = keyStore;
        config = rig.Write("postern.json", demo.ToJsonString());
    }

    /// <summary>Runs it to its end.</summary>
    public async Task<(int Code, string Output)> RunAsync(params string[] arguments)
    {
        using var process = Start(arguments);
        var (output, error) = (process.StandardOutput.ReadToEndAsync(), process.StandardError.ReadToEndAsync());
        await process.WaitForExitAsync(Rig.Cancellation);
        return (process.ExitCode, process.ExitCode == 0 ? await output : await output + await error);
    }

    /// <summary>Kills it, as <c>kill -9</c> does, after so long; false when it had ended by then.</summary>
    public async Task<bool> KillAsync(TimeSpan after, params string[] arguments)
    {
        using var process = Start(arguments);
        _ = process.StandardOutput.ReadToEndAsync(Rig.Cancellation);
        _ = process.StandardError.ReadToEndAsync(Rig.Cancellation);
        using var patience = CancellationTokenSource.CreateLinkedTokenSource(Rig.Cancellation);
        patience.CancelAfter(after);
        try
        {
            await process.WaitForExitAsync(patience.Token);
            return false;
        }
        catch (OperationCanceledException)
        {
            process.Kill();
            await process.WaitForExitAsync(CancellationToken.None);
            return true;
        }
    }

    private Process Start(string[] arguments)
    {
        var start = new ProcessStartInfo("dotnet", [program, "vault", .. arguments, "--config", config]) { RedirectStandardOutput = true, RedirectStandardError = true };
        return Process.Start(start)!;
    }
}
