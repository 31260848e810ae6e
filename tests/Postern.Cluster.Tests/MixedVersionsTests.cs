using Postern.Cluster.Tests.Actors;
using Postern.Cluster.Tests.Processes;
using Postern.Cluster.Tests.Storm;
using Postern.Store;

namespace Postern.Cluster.Tests;

/// <summary>
/// Nodes of an older build and of this one over the same database, as every update without a pause has them for a while. The older build
/// is a real one: the folder that <c>POSTERN_OLDER_BUILD</c> names, which <c>./test mixed</c> makes from the history.
/// </summary>
public sealed class MixedVersionsTests
{
    private const int People = 24;
    private static readonly TimeSpan Patience = TimeSpan.FromMinutes(3);

    [Fact]
    public async Task Nodes_OfAnOlderBuildAndOfThisOne_ServeAndRenewTheSamePeople()
    {
        var older = Environment.GetEnvironmentVariable("POSTERN_OLDER_BUILD");
        Assert.SkipWhen(older is null, "POSTERN_OLDER_BUILD names no older build; './test mixed' makes one.");
        var people = Crowd.Of(People);
        await using var deployment = await Deployment.StartAsync(nodes: 0, store: StoreProvider.PostgreSql, people: people);
        var first = await deployment.StartNodeAsync(0, build: older);
        var second = await deployment.StartNodeAsync(1, build: older);
        // Renewed every half minute.
        await deployment.Sandbox.LifetimesAsync(60);
        var watching = await Crowd.ConnectAsync(deployment, people, People);
        var watchers = new Watchers(deployment, watching, seed: 1);
        await watchers.BeginAsync();

        // The newer ones one by one, the first of them with its migrations, while the older ones go on.
        var third = await deployment.StartNodeAsync(2);
        watchers.Return(third);
        await RenewEachAsync(first, second, third);
        var fourth = await deployment.StartNodeAsync(3);
        watchers.Return(fourth);
        await RenewEachAsync(first, second, third, fourth);

        // What one version wrote and signed, the other believes: sessions, connects, grants, and pairs that it renewed.
        await ServeEachOtherAsync(deployment, "ana", at: second, elsewhere: third);
        await ServeEachOtherAsync(deployment, "ben", at: third, elsewhere: second);

        // An older one is started once more, as a roll-back does it.
        watchers.Drain(first);
        await Task.Delay(TimeSpan.FromMilliseconds(500), Suite.Token);
        await Deployment.StopAsync(first);
        first = await deployment.StartNodeAsync(0, build: older);
        watchers.Return(first);
        await RenewEachAsync(first, second, third, fourth);
        await ServeEachOtherAsync(deployment, "chloe", at: first, elsewhere: fourth);
        await watchers.EndAsync();

        Assert.Empty(watchers.Failures);
        Assert.Empty(watchers.Lost);
        var refreshes = await deployment.Sandbox.CountRefreshesAsync();
        deployment.Note($"{refreshes.Redeemed} renewals, {watchers.Answers.Count} answers.");
        Assert.Empty(refreshes.Repeated);
        Assert.Empty(await deployment.Database.ListAsync<string>("SELECT id FROM grants WHERE state <> 1 OR reason <> 0"));
        Assert.Empty(await deployment.GrantsWithAsync("RowTampered"));
        await deployment.AssertAuditVerifiesAsync();
        await deployment.AssertAuditVerifiesAsync(older);
        foreach (var person in watching)
            person.Dispose();
    }

    /// <summary>Waits until each of them has renewed somebody from now on.</summary>
    private static async Task RenewEachAsync(params Node[] nodes)
    {
        var before = nodes.Select(node => node.Process.Count("TokensRenewed")).ToList();
        await Suite.UntilAsync("each node renews", Patience, () => nodes.Zip(before).All(one => one.First.Process.Count("TokensRenewed") > one.Second));
    }

    /// <summary>Somebody comes to one node and is served by the other, and the other way round after each renewal.</summary>
    private static async Task ServeEachOtherAsync(Deployment deployment, string name, Node at, Node elsewhere)
    {
        using var person = new Person(deployment, name);
        await person.EmbedAndConnectAsync(at);
        var flights = await person.FlightsAsync(node: elsewhere);
        foreach (var (renewing, other) in ((Node, Node)[])[(elsewhere, at), (at, elsewhere)])
        {
            await deployment.Sandbox.ExpireAccessTokensAsync(name);
            Assert.Equal(flights, await person.FlightsAsync(node: renewing));
            Assert.Equal(flights, await person.FlightsAsync(node: other));
        }
    }
}
