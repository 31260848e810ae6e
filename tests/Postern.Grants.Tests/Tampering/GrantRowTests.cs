using Postern.Grants.Renewal;
using Postern.Grants.Tests.Support;
using Postern.Model;

namespace Postern.Grants.Tests.Tampering;

/// <summary>Whoever can write grant rows makes no grant count, and moves none to somebody else.</summary>
public sealed class GrantRowTests
{
    public static TheoryData<string> Edits() =>
    [
        "principal_id = 'admin'",
        "principal_name = 'admin'",
        "principal_email = 'admin@acme.test'",
        "principal_issuer = 'https://other.test'",
        "scopes = 'sql all-apis'",
        "generation = generation + 1",
        "absolute_end_at = 9999999999999",
        "definition_revision = definition_revision + 1",
        "connection_digest = zeroblob(32)",
        "session_hash = printf('%064d', 1)",
        "confirmation_hash = printf('%064d', 1)",
        "mac = NULL",
        "mac = zeroblob(51)",
    ];

    [Theory]
    [MemberData(nameof(Edits))]
    public async Task Grant_EditedInTheDatabase_GivesNoLeaseAndEndsWithAnEvent(string edit)
    {
        await using var rig = await Rig.StartAsync();
        var (id, _) = await rig.GrantAsync(Rig.Lake);
        Assert.Equal(1, await rig.SqlAsync($"UPDATE grants SET {edit}"));

        var refused = (await rig.One.LeaseAsync(Rig.Lake)).Refused(RefusalKind.ReconnectRequired);

        Assert.Equal(ReconnectReason.Changed, refused.Reconnect);
        Assert.Equal((id, "grants"), Tampered(rig));
        Assert.Equal(GrantState.Reconnect, (await rig.RowAsync(id)).State);
        Assert.Equal(0, rig.Authority.TokenRequests);
    }

    [Fact]
    public async Task Grant_RevokedAndMadeActiveAgainInTheDatabase_StaysRevoked()
    {
        await using var rig = await Rig.StartAsync();
        var (id, _) = await rig.GrantAsync(Rig.Lake);
        await rig.SqlAsync("CREATE TABLE copied AS SELECT access_sealed, refresh_sealed, active_slot, renewal_due_at FROM grants");
        await rig.One.Desk.RevokeAsync(Rig.Ana.Key, id, Rig.Cancellation);
        Assert.Equal(1, await rig.SqlAsync(
            """
            UPDATE grants SET state = 1, reason = 0, active_slot = copied.active_slot, access_sealed = copied.access_sealed,
                refresh_sealed = copied.refresh_sealed, renewal_due_at = 1, revoked_at = NULL
            FROM copied
            """));

        (await rig.One.LeaseAsync(Rig.Lake)).Refused(RefusalKind.ReconnectRequired);

        Assert.Equal((id, "grants"), Tampered(rig));
    }

    [Fact]
    public async Task Grant_EditedInTheDatabase_IsNotMadeGoodByARenewal()
    {
        await using var rig = await Rig.StartAsync();
        await rig.GrantAsync(Rig.Lake);
        rig.Clock.Advance(TimeSpan.FromMinutes(55));
        await rig.SqlAsync("UPDATE grants SET principal_id = 'admin'");

        await rig.One.Get<BackgroundRenewer>().RenewAsync(Rig.Cancellation);

        Assert.Equal(0, rig.Authority.TokenRequests);
        Assert.Equal("grants", Tampered(rig).Table);
    }

    [Fact]
    public async Task Grant_EditedDuringItsRenewal_IsNotMadeGoodByIt()
    {
        await using var rig = await Rig.StartAsync();
        await rig.GrantAsync(Rig.Lake);
        rig.Clock.Advance(TimeSpan.FromMinutes(61));
        var reached = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        var hold = new TaskCompletionSource();
        rig.Authority.Script(new Fault { Reached = reached, Hold = hold.Task });
        var leasing = rig.One.LeaseAsync(Rig.Lake);
        await reached.Task;
        await rig.SqlAsync("UPDATE grants SET principal_id = 'admin'");
        hold.SetResult();

        (await rig.PumpAsync(leasing)).Refused(RefusalKind.ReconnectRequired);

        Assert.Equal("grants", Tampered(rig).Table);
    }

    [Fact]
    public async Task Grant_EditedAfterTheLease_StartsNoQuery()
    {
        await using var rig = await Rig.StartAsync();
        await rig.GrantAsync(Rig.Lake);
        var session = await rig.One.SignInAsync();
        var lease = (await rig.One.LeaseAsync(Rig.Lake)).Value();
        await rig.SqlAsync("UPDATE grants SET principal_id = 'admin', mac = zeroblob(51)");

        (await rig.One.Desk.StartAsync(lease, session, new byte[32], Rig.Cancellation)).Refused(RefusalKind.ReconnectRequired);

        Assert.Empty(rig.One.Events.Of(EventKind.QueryStarted));
    }

    [Fact]
    public async Task Grant_OfAnotherPersonMovedToMineInTheDatabase_GivesNoLease()
    {
        await using var rig = await Rig.StartAsync();
        await rig.GrantAsync(Rig.Lake, Rig.Ben);
        var (mine, _) = await rig.GrantAsync(Rig.Lake);
        await rig.SqlAsync("CREATE TABLE mine AS SELECT slot, active_slot FROM grants WHERE subject_id = 'ana'; DELETE FROM grants WHERE subject_id = 'ana'");
        Assert.Equal(1, await rig.SqlAsync("UPDATE grants SET subject_id = 'ana', slot = mine.slot, active_slot = mine.active_slot FROM mine"));

        (await rig.One.LeaseAsync(Rig.Lake)).Refused(RefusalKind.ReconnectRequired);

        Assert.NotEqual(mine, Tampered(rig).Grant);
    }

    private static (GrantId? Grant, string Table) Tampered(Rig rig)
    {
        var tampered = Assert.Single(rig.One.Events.Of(EventKind.RowTampered));
        return (tampered.Grant, tampered.Facts["table"]);
    }
}
