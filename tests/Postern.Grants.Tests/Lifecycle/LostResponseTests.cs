using System.Collections.Concurrent;
using Postern.Grants.Renewal;
using Postern.Grants.Revocation;
using Postern.Grants.Tests.Support;
using Postern.Model;
using Postern.Store;

namespace Postern.Grants.Tests.Lifecycle;

/// <summary>
/// Hundreds of answers that the server gave and nobody got, at random moments on random nodes: under each class of provider what
/// becomes of every grant is what the documents say, no token is redeemed more often than they say, and the audit trail names each.
/// </summary>
public sealed class LostResponseTests
{
    private const int Rounds = 3;
    private static readonly int Losses = Crowd.Full ? 2_000 : 500;
    private static readonly TimeSpan NotLong = TimeSpan.FromMilliseconds(100);

    public static TheoryData<string, string> Classes() => new()
    {
        { "no rotation", "test-none" },
        { "grace", "test-grace" },
        { "single use", "generic" },
        { "kills access tokens", "test-kills" },
        { "absolute end", "generic" },
        { "no expires_in", "generic" },
        { "no revocation endpoint", "generic" },
    };

    [Theory]
    [MemberData(nameof(Classes))]
    public async Task LostAnswers_OfEachClassOfProvider_EndAsDocumentedAndAreNamed(string kind, string profile)
    {
        var seed = Random.Shared.Next();
        TestContext.Current.SendDiagnosticMessage("{0}: seed {1}", kind, seed);
        await using var rig = await Rig.StartAsync(NotLong, Crowd.Unpaced);
        var connection = await rig.AddConnectionAsync("lossy", profile, change: Crowd.Unpaced);
        rig.Authority.HasRevocation = kind != "no revocation endpoint";
        rig.Authority.ExpiresIn = kind == "no expires_in" ? null : 3600;
        var world = new World(rig, connection, await rig.GrantsAsync(connection, Losses, kind == "absolute end" ? rig.Now.AddHours(3.5) : null), seed);

        for (var round = 1; round <= Rounds; round++)
        {
            await world.RoundAsync(last: round == Rounds);
            if (round == 2)
                await rig.KillAsync(rig.AddNode("passing"));
        }
        await world.CloseAsync();

        Assert.True(Losses == world.Lost.Count, $"seed {seed}: {world.Lost.Count} answers were lost");
        Assert.Equal(0, rig.Authority.Reuses);
        foreach (var held in world.People)
            await world.CheckAsync(held, $"seed {seed}, {kind}, {held.Person.Key.Id}");
        await world.CheckAuditAsync();
        if (kind == "no revocation endpoint")
            await world.CannotRevokeAsync();
    }

    private sealed class World
    {
        private readonly Rig rig;
        private readonly ConnectionId connection;
        private readonly Random random;
        private readonly TestNode[] nodes;
        private readonly Lock gate = new();
        private bool everybody;

        public World(Rig rig, ConnectionId connection, IReadOnlyList<Held> people, int seed)
        {
            (this.rig, this.connection, People, random) = (rig, connection, people, new Random(seed));
            nodes = [rig.One, rig.AddNode("two"), rig.AddNode("three")];
            rig.Authority.Decide = Decide;
        }

        public IReadOnlyList<Held> People { get; }

        /// <summary>The refresh token whose answer was lost, by the family's part of its name.</summary>
        public ConcurrentDictionary<string, string> Lost { get; } = new();

        private RefreshRotation Rotation => People[0].Family.Rotation;

        /// <summary>A life of the access token: some are renewed ahead of time, some at the query that finds it over; then all ask again.</summary>
        public async Task RoundAsync(bool last)
        {
            var life = TimeSpan.FromSeconds(rig.Authority.ExpiresIn ?? 300);
            var began = rig.Now;
            await rig.LeaseAllAsync(connection, People, _ => [rig.One]);
            everybody = last;
            Turn(began + life * 0.87);
            await rig.BackgroundAsync(nodes);
            Turn(began + life + TimeSpan.FromSeconds(70));
            await rig.LeaseAllAsync(connection, People, _ => Nodes());
            // Past the sending, and past every backoff.
            Turn(rig.Now + TimeSpan.FromSeconds(61));
            await rig.BackgroundAsync(nodes);
            await rig.LeaseAllAsync(connection, People, _ => Nodes());
        }

        /// <summary>Until the last access token ended that could not be renewed.</summary>
        public async Task CloseAsync()
        {
            Turn(rig.Now + TimeSpan.FromSeconds(rig.Authority.ExpiresIn ?? 300));
            await rig.LeaseAllAsync(connection, People, _ => [rig.One]);
        }

        public async Task CheckAsync(Held held, string who)
        {
            var row = await rig.RowAsync(held.Id);
            var family = held.Family;
            switch (Rotation)
            {
                case RefreshRotation.None:
                    Assert.True(row is { State: GrantState.Active, Reason: ReconnectReason.None } && row.Generation >= Rounds, $"{who}: {row.State} {row.Generation}");
                    Assert.True(family.Redemptions == row.Generation, $"{who}: {family.Redemptions} redemptions, generation {row.Generation}");
                    break;
                case RefreshRotation.RotatingWithGrace:
                    Assert.True(row is { State: GrantState.Active, Reason: ReconnectReason.None } && row.Generation >= Rounds, $"{who}: {row.State} {row.Generation}");
                    // The lost one twice, each other one once.
                    Assert.True((family.Redemptions, family.MostOfOneToken) == (row.Generation, 2), $"{who}: {family.Redemptions} redemptions, generation {row.Generation}");
                    break;
                default:
                    Assert.True(row is { State: GrantState.Reconnect, Reason: ReconnectReason.Uncertain }, $"{who}: {row.State} {row.Reason}");
                    Assert.True((family.Redemptions, family.MostOfOneToken) == (row.Generation, 1), $"{who}: {family.Redemptions} redemptions, generation {row.Generation}");
                    break;
            }
        }

        /// <summary>One event for each lost answer, in the words of its class, and no grant ended for another reason.</summary>
        public Task CheckAuditAsync()
        {
            var named = Rotation switch
            {
                RefreshRotation.None => rig.EventsOf(EventKind.RenewalFailed).Where(e => e.Code == "Network"),
                RefreshRotation.RotatingWithGrace => rig.EventsOf(EventKind.RenewalUncertain).Where(e => e.Code == "repeated"),
                _ => rig.EventsOf(EventKind.RenewalUncertain).Where(e => e.Code == "answer-lost"),
            };
            var told = named.Select(e => e.Grant).ToList();
            Assert.Equal((Losses, Losses), (told.Count, told.Distinct().Count()));
            // Ended at once where nothing served any more, else when the access token ended.
            var ended = rig.EventsOf(EventKind.RenewalUncertain).Where(e => e.Code == "ended")
                .Concat(rig.EventsOf(EventKind.GrantEnded).Where(e => e.Code == "no-renewal-possible")).Select(e => e.Grant).ToList();
            var over = Rotation is RefreshRotation.None or RefreshRotation.RotatingWithGrace ? 0 : Losses;
            Assert.Equal((over, over, 0), (ended.Count, ended.Distinct().Count(), rig.EventsOf(EventKind.GrantEnded).Count(e => e.Code != "no-renewal-possible")));
            return Task.CompletedTask;
        }

        /// <summary>The person gives up what cannot be renewed: the outbox says that this server takes nothing back.</summary>
        public async Task CannotRevokeAsync()
        {
            var one = People[random.Next(People.Count)];
            await rig.One.Desk.RevokeAsync(one.Person.Key, one.Id, Rig.Cancellation);
            await rig.One.Get<Revoker>().TellAsync(Rig.Cancellation);
            Assert.Equal(RevocationStatus.Cannot, Assert.Single(await rig.One.Store.Revocations.ListOfAsync(Rig.Acme, one.Id, Rig.Cancellation)).Status);
        }

        private void Turn(DateTimeOffset to)
        {
            if (to > rig.Now)
                rig.Clock.Advance(to - rig.Now);
        }

        private IEnumerable<TestNode> Nodes()
        {
            lock (gate)
            {
                var first = random.Next(nodes.Length);
                return random.Next(4) == 0 ? [nodes[first], nodes[(first + 1) % nodes.Length]] : [nodes[first]];
            }
        }

        private Fault? Decide(string token)
        {
            lock (gate)
            {
                var family = token[..token.LastIndexOf('-')];
                return !Lost.ContainsKey(family) && (everybody || random.Next(3) == 0) && Lost.TryAdd(family, token) ? Fault.LostAnswer : null;
            }
        }
    }
}
