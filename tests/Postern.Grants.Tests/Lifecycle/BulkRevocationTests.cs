using Postern.Grants.Renewal;
using Postern.Grants.Revocation;
using Postern.Grants.Tests.Support;
using Postern.Model;
using Postern.Store;

namespace Postern.Grants.Tests.Lifecycle;

/// <summary>Thousands of grants that nobody used for a month end in the same hour.</summary>
public sealed class BulkRevocationTests
{
    private static readonly int People = Crowd.Full ? 5_000 : 1_000;
    private const int Used = 20;
    private const int Cap = 1_200;
    private static readonly TimeSpan NotLong = TimeSpan.FromMilliseconds(100);

    [Fact]
    public async Task UnusedGrants_ByTheThousand_AreToldWithinTheCapAndTheOutboxOutlivesEveryNode()
    {
        await using var rig = await Rig.StartAsync(NotLong);
        await using var other = await Authority.StartAsync(rig.Clock);
        other.HasRevocation = false;
        var connection = await rig.AddConnectionAsync("unused", "generic", change: RevokeUnused);
        var people = await rig.GrantsAsync(connection, People);
        var used = await rig.GrantsAsync(connection, Used, name: "used");
        var (cannot, _) = await rig.GrantAsync(await rig.AddConnectionAsync("cannot", "generic", other, RevokeUnused), at: other);
        var two = rig.AddNode("two");
        await rig.One.JoinAsync();
        await two.JoinAsync();
        rig.Clock.Advance(TimeSpan.FromDays(30));
        foreach (var held in used)
            await rig.One.Store.UpkeepAsync(GrantChanges.TouchUsed(Rig.Acme, held.Id), Rig.Cancellation);
        var tokens = people.SelectMany(held => new[] { held.Family.Refresh, held.Family.Access }).ToHashSet();

        // The first turn marks some: from then on no query starts with them, whatever their server knows.
        await TurnAsync(rig, rig.One);
        var marked = rig.EventsOf(EventKind.GrantRevoked).First(e => e.Connection == connection);
        Assert.Equal("unused", marked.Code);
        Assert.Equal(ReconnectReason.Revoked, (await rig.One.LeaseAsync(connection, new Subject(marked.Subject!, Rig.Ana.Attributes)))
            .Refused(RefusalKind.ReconnectRequired).Reconnect);
        Assert.Equal(RevocationStatus.Pending, await StatusAsync(rig, people.Last(held => rig.EventsOf(EventKind.ProviderRevoked).All(e => e.Grant != held.Id)
            && rig.EventsOf(EventKind.GrantRevoked).Any(e => e.Grant == held.Id))));

        await UntilToldAsync(rig, People / 2, rig.One, two);
        // In the middle of its turn: what it claimed comes back when the claim ends.
        var turn = two.Get<Revoker>().TellAsync(Rig.Cancellation);
        await rig.KillAsync(two);
        await rig.PumpAsync(turn.ContinueWith(_ => true, TaskScheduler.Default));
        await UntilToldAsync(rig, People, rig.One);
        // And the last one of them; the next process finds the rest.
        var next = rig.AddNode("next");
        await next.JoinAsync();
        await rig.KillAsync(rig.One);
        await UntilToldAsync(rig, 2 * People, next);
        while (await next.Store.Revocations.CountPendingAsync(Rig.Cancellation) > 0)
            await TurnAsync(rig, next);

        Assert.Subset(rig.Authority.Revoked.ToHashSet(), tokens);
        Assert.Superset(rig.Authority.Revoked.ToHashSet(), tokens);
        Assert.InRange(rig.Authority.RevokedAt.MostInAMinute(), Cap / 4, Cap);
        Assert.Equal(People, rig.EventsOf(EventKind.ProviderRevoked).Select(e => e.Grant).Distinct().Count());
        foreach (var held in people)
            Assert.Equal(GrantState.Revoked, (await rig.RowAsync(held.Id)).State);
        foreach (var held in used)
            Assert.Equal(GrantState.Active, (await rig.RowAsync(held.Id)).State);
        // What the portal shows.
        Assert.Equal(RevocationStatus.Done, await StatusAsync(rig, people[People / 2]));
        Assert.Equal((GrantState.Revoked, RevocationStatus.Cannot), ((await rig.RowAsync(cannot)).State, await StatusAsync(rig, new Held(cannot, people[0].Family, Rig.Ana))));
        Assert.Equal(cannot, Assert.Single(rig.EventsOf(EventKind.ProviderCannotRevoke)).Grant);
    }

    private static Connection RevokeUnused(Connection connection) => connection with { Lifetimes = connection.Lifetimes with { RevokeUnusedAfter = TimeSpan.FromDays(30) } };

    private static async Task<RevocationStatus> StatusAsync(Rig rig, Held held) => Assert.Single(Assert.Single(
        await rig.One.Desk.ListAsync(held.Person.Key, Rig.Cancellation), grant => grant.Row.Id == held.Id).Revocations).Status;

    private static async Task UntilToldAsync(Rig rig, int tokens, params TestNode[] nodes)
    {
        for (var turns = 0; rig.Authority.Revoked.Count < tokens; turns++)
        {
            Assert.True(turns < 3_600, $"{rig.Authority.Revoked.Count} of {tokens} told in an hour");
            await TurnAsync(rig, nodes);
        }
    }

    private static async Task TurnAsync(Rig rig, params TestNode[] nodes)
    {
        var next = rig.Now.AddSeconds(1);
        await rig.PumpAsync(Crowd.ForEachAsync(nodes, async node =>
        {
            await node.Get<Housekeeper>().TurnAsync(Rig.Cancellation);
            await node.Get<Revoker>().TellAsync(Rig.Cancellation);
        }));
        if (next > rig.Now)
            rig.Clock.Advance(next - rig.Now);
    }
}
