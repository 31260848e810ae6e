using Postern.Cluster.Tests.Actors;
using Postern.Cluster.Tests.Processes;
using Postern.Store;

namespace Postern.Cluster.Tests;

/// <summary>
/// <c>kill -9</c> at every step of a connect and of a renewal. Afterwards a grant works or says "reconnect", a refresh token was never
/// presented twice, nothing asks the token endpoint again and again, no query run stays open, and the audit trail verifies.
/// </summary>
public sealed class KillTests
{
    private enum Journey
    {
        Connect,
        Renewal,
    }

    /// <summary>When to kill.</summary>
    /// <param name="Journey">What is under way.</param>
    /// <param name="At">The event whose log line starts the watch.</param>
    /// <param name="After">Milliseconds from there to the kill.</param>
    /// <param name="Fault">What the token endpoint does meanwhile, to hold the window open.</param>
    private sealed record KillPoint(Journey Journey, string At, int After = 0, string? Fault = null);

    private static readonly KillPoint[] Points =
    [
        new(Journey.Connect, "ConnectBegun"),
        new(Journey.Connect, "ConnectRedirected"),
        new(Journey.Connect, "ConnectRedirected", 40),
        new(Journey.Connect, "ConnectRedirected", 120, Fault: "delay"),
        new(Journey.Connect, "ConnectRefused", Fault: "drop-after-commit"),
        new(Journey.Connect, "TokensIssued"),
        new(Journey.Connect, "TokensIssued", 5),
        new(Journey.Connect, "GrantConfirmed"),
        new(Journey.Renewal, "QueryStarted"),
        new(Journey.Renewal, "QueryStarted", 3),
        new(Journey.Renewal, "RenewalClaimed"),
        new(Journey.Renewal, "RenewalClaimed", 2),
        new(Journey.Renewal, "RenewalSending"),
        new(Journey.Renewal, "RenewalSending", 3),
        new(Journey.Renewal, "RenewalSending", 8),
        new(Journey.Renewal, "RenewalSending", 100, Fault: "delay"),
        new(Journey.Renewal, "RenewalSending", 20, Fault: "drop-after-commit"),
        new(Journey.Renewal, "RenewalUncertain", Fault: "drop-after-commit"),
        new(Journey.Renewal, "TokensRenewed"),
        new(Journey.Renewal, "TokensRenewed", 5),
    ];

    [Theory]
    [InlineData(StoreProvider.Sqlite)]
    [InlineData(StoreProvider.PostgreSql)]
    public async Task Kill_AtAnyStep_LeavesAGrantThatWorksOrSaysReconnect(StoreProvider store)
    {
        await using var deployment = await Deployment.StartAsync(store: store);
        using var ana = new Person(deployment, "ana");
        await ana.EmbedAndConnectAsync();
        var anas = await ana.FlightsAsync();
        var presented = new List<string>();

        foreach (var point in Suite.Full ? [.. Points, .. Points, .. Points] : Points)
        {
            await KillAsync(deployment, ana, point);
            presented.AddRange(await PresentedAsync(deployment));

            // The dead node's deadlines pass (here by the hands of the clock); then a node starts.
            deployment.Edit("UPDATE grants SET renewal_deadline = 0 WHERE renewal_deadline IS NOT NULL");
            await deployment.Sandbox.ClearFaultsAsync();
            await deployment.Sandbox.ClearLogAsync();
            await deployment.StartNodeAsync();

            await AssertSettlesAsync(deployment, ana, anas, point);
            presented.AddRange(await PresentedAsync(deployment));
            await deployment.Sandbox.ClearLogAsync();
        }

        // Single use means once, whatever died in between.
        Assert.Equal(presented.Count, presented.Distinct().Count());
        await Deployment.StopAsync(deployment.Node);
        await deployment.AssertAuditVerifiesAsync();
    }

    private static async Task KillAsync(Deployment deployment, Person person, KillPoint point)
    {
        var process = deployment.Node.Process;
        if (point.Journey == Journey.Renewal)
            await deployment.Sandbox.ExpireAccessTokensAsync(person.Name);
        if (point.Fault is { } kind)
            await deployment.Sandbox.FaultAsync("token", kind, kind == "delay" ? 1000 : null);
        var fell = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        process.When(point.At, () => fell.TrySetResult());
        var killing = KillAfterAsync();

        try
        {
            if (point.Journey == Journey.Connect)
                await person.ConnectAsync();
            else
                (await person.QueryAsync()).Dispose();
        }
        catch (Exception cut) when (cut is HttpRequestException or IOException or Xunit.Sdk.XunitException)
        {
            // The process died under the person's hands, as it should.
        }
        await killing;
        await process.EndedAsync(TimeSpan.FromSeconds(10));

        // The point itself: so long after the line, wherever the process is by then.
        async Task KillAfterAsync()
        {
            await fell.Task.WaitAsync(TimeSpan.FromSeconds(30), Suite.Token);
            await Task.Delay(point.After, Suite.Token);
            process.Kill();
        }
    }

    private static async Task AssertSettlesAsync(Deployment deployment, Person person, long expected, KillPoint point)
    {
        var works = false;
        await Suite.UntilAsync($"after {point} the grant works or says reconnect", TimeSpan.FromSeconds(15), async () =>
        {
            using var response = await person.QueryAsync();
            works = response.IsSuccessStatusCode;
            if (works)
                return true;
            var problem = await Problem.ReadAsync(response);
            return problem.Type == "urn:postern:reconnect-required";
        });
        // At most the one renewal that a dead token costs; a loop would show here.
        Assert.True((await deployment.Sandbox.TokenRequestsAsync()).Count <= 1, $"{point}: too many token requests");
        if (!works)
            await person.ConnectAsync();
        Assert.Equal(expected, await person.FlightsAsync());
        Assert.True((await deployment.Sandbox.TokenRequestsAsync()).Count <= 2, $"{point}: too many token requests");
        await Suite.UntilAsync($"after {point} every query run is closed", TimeSpan.FromSeconds(15), () =>
            (long)deployment.Read("SELECT count(*) FROM query_runs WHERE finished_at IS NULL")! == 0);
    }

    private static async Task<IEnumerable<string>> PresentedAsync(Deployment deployment) =>
        (await deployment.Sandbox.TokenRequestsAsync()).Where(request => request.GrantType == "refresh_token").Select(request => request.RefreshFingerprint!);
}
