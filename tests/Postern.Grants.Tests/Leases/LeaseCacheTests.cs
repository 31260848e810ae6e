using Postern.Grants.Leases;
using Postern.Grants.Renewal;
using Postern.Grants.Tests.Support;
using Postern.Model;
using Postern.Store;

namespace Postern.Grants.Tests.Leases;

public sealed class LeaseCacheTests
{
    private const int Rounds = 200_000;

    [Fact]
    public void Keep_WhileTheSameGrantIsDropped_LeavesNothingBehind()
    {
        var cache = new LeaseCache();
        var known = Known();
        // A thread of its own, and a start by spinning: the moment between two writes is too short to be met by waking up.
        var (started, dropped) = (0, 0);
        var dropper = new Thread(() =>
        {
            for (var round = 1; round <= Rounds; round++)
            {
                SpinUntil(ref started, round);
                Thread.SpinWait(round % 97);
                cache.Drop(known.Row.Id);
                Volatile.Write(ref dropped, round);
            }
        });
        dropper.Start();
        var left = 0;
        for (var round = 1; round <= Rounds; round++)
        {
            var mark = cache.Mark;
            Volatile.Write(ref started, round);
            Thread.SpinWait(round % 89);
            cache.Keep(known, mark);
            SpinUntil(ref dropped, round);
            // What was read before the drop is not kept, in whatever order the two came.
            left += cache.TryGet(known.Row.Subject, known.Row.Connection, out _) ? 1 : 0;
        }
        dropper.Join();

        Assert.Equal(0, left);
    }

    [Fact]
    public void Keep_OfARowReadBeforeADrop_IsRefused()
    {
        var cache = new LeaseCache();
        var known = Known();
        var mark = cache.Mark;
        cache.Drop(new GrantId(Guid.Empty));

        cache.Keep(known, mark);

        Assert.False(cache.TryGet(known.Row.Subject, known.Row.Connection, out _));
    }

    [Fact]
    public void OnChanges_DropsTheGrantsItNames_AndOnMissedAll()
    {
        var cache = new LeaseCache();
        var (one, two) = (Row(), Row() with { Id = new GrantId(new Guid(2, 0, 0, new byte[8])), Connection = Rig.Grace });
        cache.Keep(Known(one), cache.Mark);
        cache.Keep(Known(two), cache.Mark);

        cache.OnChanges([new ChangeRow(1, ChangeKind.Grant, Rig.Acme, one.Id.ToString()), new ChangeRow(2, ChangeKind.Session, Rig.Acme, two.Id.ToString())]);
        Assert.False(cache.TryGet(one.Subject, one.Connection, out _));
        Assert.True(cache.TryGet(two.Subject, two.Connection, out _));

        cache.OnMissed();
        Assert.False(cache.TryGet(two.Subject, two.Connection, out _));
    }

    [Fact]
    public async Task Lease_WhileTheFeedIsRead_AsksTheDatabaseOnce()
    {
        await using var rig = await Rig.StartAsync();
        var (id, _) = await rig.GrantAsync(Rig.Lake);
        await rig.One.StartFeedAsync();
        await rig.One.LeaseAsync(Rig.Lake);
        // An edit that nobody is told of shows who looks at the database.
        await rig.SqlAsync("UPDATE grants SET generation = 7 WHERE id = @id", new { id = id.ToString() });

        Assert.Equal(1, (await rig.One.LeaseAsync(Rig.Lake)).Value().Generation);
    }

    [Fact]
    public async Task Lease_WhileTheFeedIsSilent_IsNotServedFromTheCache()
    {
        await using var rig = await Rig.StartAsync();
        var (id, _) = await rig.GrantAsync(Rig.Lake);
        await rig.One.StartFeedAsync();
        var feed = rig.One.Get<ChangeFeed>();
        await rig.One.LeaseAsync(Rig.Lake);
        // The feed cannot be read any more; the revocation is heard of by nobody.
        await rig.SqlAsync("ALTER TABLE counters RENAME TO gone");
        await rig.SqlAsync("UPDATE grants SET state = 3, active_slot = NULL WHERE id = @id", new { id = id.ToString() });
        rig.Clock.Advance(TimeSpan.FromSeconds(6));

        Assert.True(feed.SinceLastRead > TimeSpan.FromSeconds(5));
        Assert.Equal(ReconnectReason.Revoked, (await rig.One.LeaseAsync(Rig.Lake)).Refused(RefusalKind.ReconnectRequired).Reconnect);
    }

    [Fact]
    public void Lease_ThatNobodyGave_GivesNoRight()
    {
        var forged = default(TokenLease);

        Assert.Throws<InvalidOperationException>(() => forged.Permitted);
        Assert.Throws<InvalidOperationException>(() => forged.Grant);
    }

    private static void SpinUntil(ref int reached, int round)
    {
        var spin = new SpinWait();
        while (Volatile.Read(ref reached) < round)
            spin.SpinOnce();
    }

    private static KnownGrant Known(GrantRow? row = null) =>
        new(row ?? Row(), default);

    private static GrantRow Row() => new()
    {
        Id = new GrantId(new Guid(1, 0, 0, new byte[8])),
        Subject = Rig.Ana.Key,
        Connection = Rig.Lake,
        State = GrantState.Active,
        Reason = ReconnectReason.None,
        Generation = 1,
        Scopes = "sql",
        Principal = new("https://as.test", "ana", "ana"),
        ConnectionDigest = [],
        DefinitionRevision = 1,
        Renewal = RenewalState.Idle,
        RenewalFence = 0,
        RenewalAttempts = 0,
        RenewalTakeovers = 0,
        CreatedAt = DateTimeOffset.UnixEpoch,
    };
}
