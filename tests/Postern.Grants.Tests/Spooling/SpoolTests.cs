using Microsoft.Data.Sqlite;
using Postern.Grants.Renewal;
using Postern.Grants.Revocation;
using Postern.Grants.Spooling;
using Postern.Grants.Tests.Support;
using Postern.Model;

namespace Postern.Grants.Tests.Spooling;

/// <summary>A store that takes no writes after the authorization server has answered, and a process that dies meanwhile.</summary>
[System.Runtime.Versioning.UnsupportedOSPlatform("windows")]
public sealed class SpoolTests : IDisposable
{
    private static readonly TimeSpan NotLong = TimeSpan.FromMilliseconds(500);
    private readonly string directory = Path.Combine(Directory.CreateTempSubdirectory("postern-spool-").FullName, "spool");

    public void Dispose() => Directory.Delete(Path.GetDirectoryName(directory)!, recursive: true);

    [Fact]
    public async Task Pair_ThatTheStoreRefuses_WaitsSealedAndPrivateAndIsStoredLater()
    {
        await using var rig = await StartAsync();
        var (id, family) = await RefuseAsync(rig);

        var file = Assert.Single(Directory.GetFiles(directory));
        Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite, File.GetUnixFileMode(file));
        Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute, File.GetUnixFileMode(directory));
        var text = await File.ReadAllTextAsync(file, Rig.Cancellation);
        Assert.DoesNotContain(family.Access, text, StringComparison.Ordinal);
        Assert.DoesNotContain(Convert.ToBase64String(System.Text.Encoding.UTF8.GetBytes(family.Refresh)), text, StringComparison.Ordinal);

        await rig.One.Get<SpoolKeeper>().TurnAsync();
        Assert.Single(Directory.GetFiles(directory));
        await rig.SqlAsync("DROP TRIGGER no_space");
        await rig.One.Get<SpoolKeeper>().TurnAsync();

        Assert.Empty(Directory.GetFiles(directory));
        Assert.Equal((GrantState.Active, 2), ((await rig.RowAsync(id)).State, (await rig.RowAsync(id)).Generation));
        Assert.Equal("spooled", Assert.Single(rig.One.Events.Of(EventKind.TokensRenewed)).Code);
        await ServesAsync(rig, rig.One, family);
    }

    [Fact]
    public async Task Process_ThatDiesMeanwhile_FindsThePairAtItsNextStartBeforeAnybodyJudgesIt()
    {
        await using var rig = await StartAsync();
        var (id, family) = await RefuseAsync(rig);
        await rig.KillAsync(rig.One);
        await rig.SqlAsync("DROP TRIGGER no_space");

        var again = rig.AddNode("one");
        await again.StartAsync();

        Assert.Empty(Directory.GetFiles(directory));
        Assert.Equal((GrantState.Active, ReconnectReason.None, 2), ((await rig.RowAsync(id)).State, (await rig.RowAsync(id)).Reason, (await rig.RowAsync(id)).Generation));
        await ServesAsync(rig, again, family);
    }

    [Fact]
    public async Task Pair_WhoseFenceIsGone_IsNeverStoredAndIsRevoked()
    {
        await using var rig = await StartAsync();
        var (id, family) = await RefuseAsync(rig);
        await rig.SqlAsync("DROP TRIGGER no_space");
        // Another node looks first: the sending is lost, the profile is single use, and nothing serves any more.
        (await rig.AddNode("two").LeaseAsync(Rig.Lake)).Refused(RefusalKind.ReconnectRequired);

        await rig.One.Get<SpoolKeeper>().TurnAsync();
        await rig.One.Get<Revoker>().TellAsync(Rig.Cancellation);

        Assert.Empty(Directory.GetFiles(directory));
        Assert.Equal((GrantState.Reconnect, 1), ((await rig.RowAsync(id)).State, (await rig.RowAsync(id)).Generation));
        Assert.Equal("late-answer", Assert.Single(rig.One.Events.Of(EventKind.RenewalAbandoned)).Code);
        Assert.Equal([family.Refresh, family.Access], rig.Authority.Revoked);
    }

    [Fact]
    public async Task Spool_ThatIsFull_TakesNoMore()
    {
        await using var rig = await StartAsync(files: 1);
        await RefuseAsync(rig);
        await rig.SqlAsync("DROP TRIGGER no_space");
        var first = Assert.Single(Directory.GetFiles(directory));

        await RefuseAsync(rig, Rig.Ben);

        Assert.Equal(first, Assert.Single(Directory.GetFiles(directory)));
    }

    [Fact]
    public async Task SpoolDirectory_OpenToOthers_StopsTheStart()
    {
        Directory.CreateDirectory(directory, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute | UnixFileMode.OtherRead);
        await using var rig = await Rig.StartAsync(NotLong, options => options with { SpoolDirectory = directory });

        var refused = await Assert.ThrowsAsync<IOException>(() => rig.One.Get<SpoolKeeper>().StartAsync(Rig.Cancellation));

        Assert.Contains("chmod 700", refused.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task SpoolFile_ThatIsNotOurs_IsPutAsideAndHoldsUpNobody()
    {
        await using var rig = await StartAsync();
        var (id, _) = await RefuseAsync(rig);
        await File.WriteAllTextAsync(Path.Combine(directory, "0.json"), "{", Rig.Cancellation);
        await rig.SqlAsync("DROP TRIGGER no_space");

        await rig.One.Get<SpoolKeeper>().TurnAsync();

        Assert.Equal(2, (await rig.RowAsync(id)).Generation);
        Assert.EndsWith("0.json.unreadable", Assert.Single(Directory.GetFiles(directory)), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(1, "unused")]
    [InlineData(2, "ended")]
    public async Task Crash_AtEachState_IsNamedInTheAuditTrail(int state, string code)
    {
        await using var rig = await StartAsync();
        var (id, _) = await rig.GrantAsync(Rig.Lake);
        rig.Clock.Advance(TimeSpan.FromMinutes(61));
        await rig.SqlAsync("UPDATE grants SET renewal_state = @state, renewal_deadline = @at, renewal_node = 'dead' WHERE id = @id",
            new { state, at = rig.Now.ToUnixTimeMilliseconds(), id = id.ToString() });

        await rig.One.LeaseAsync(Rig.Lake);

        var told = Assert.Single(rig.One.Events.Of(state == 1 ? EventKind.RenewalClaimed : EventKind.RenewalUncertain));
        Assert.Equal((code, "dead"), (told.Code, told.Facts["before"]));
    }

    private async Task<Rig> StartAsync(int files = 10)
    {
        var rig = await Rig.StartAsync(NotLong, options => options with { SpoolDirectory = directory, SpoolFiles = files });
        rig.One.Get<PairSpool>().Prepare();
        return rig;
    }

    /// <summary>A renewal whose pair the store refuses for longer than anybody waits.</summary>
    private static async Task<(GrantId Id, Family Family)> RefuseAsync(Rig rig, Subject? subject = null)
    {
        var (id, family) = await rig.GrantAsync(Rig.Lake, subject);
        rig.Clock.Advance(TimeSpan.FromMinutes(61));
        await rig.SqlAsync("CREATE TRIGGER no_space BEFORE UPDATE OF access_sealed ON grants BEGIN SELECT RAISE(FAIL, 'no space'); END");
        var renewing = rig.One.Get<Renewer>().EnsureAsync(Rig.Acme, id, RenewalNeed.ToUse, Rig.Cancellation);
        await rig.UntilAsync(() => Task.FromResult(renewing.IsCompleted), TimeSpan.FromMilliseconds(250));
        await Assert.ThrowsAnyAsync<SqliteException>(() => renewing);
        return (id, family);
    }

    private static async Task ServesAsync(Rig rig, TestNode node, Family family)
    {
        await using var run = await node.RunAsync(Rig.Lake, await node.SignInAsync());
        Assert.Equal(family.Access, (await run.CurrentAsync(Rig.Cancellation)).Value().Token());
        Assert.Equal((1, 0), (rig.Authority.TokenRequests, rig.Authority.Reuses));
    }
}
