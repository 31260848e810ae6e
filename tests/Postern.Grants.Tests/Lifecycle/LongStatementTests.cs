using Postern.Grants.Leases;
using Postern.Grants.Tests.Support;
using Postern.Model;

namespace Postern.Grants.Tests.Lifecycle;

/// <summary>A statement of ninety minutes whose rows are fetched chunk by chunk, as drivers do, over three and more renewals.</summary>
public sealed class LongStatementTests
{
    private const int Chunks = 180;
    private const int RowsInAChunk = 50;
    private static readonly TimeSpan Each = TimeSpan.FromSeconds(30);
    private static readonly TimeSpan NotLong = TimeSpan.FromMilliseconds(500);

    [Theory]
    [InlineData("no rotation", "test-none")]
    [InlineData("grace", "test-grace")]
    [InlineData("single use", "generic")]
    [InlineData("kills access tokens", "test-kills")]
    [InlineData("no expires_in", "generic")]
    [InlineData("no revocation endpoint", "generic")]
    public async Task Rows_OfAStatementOverManyRenewals_AreCompleteAndEachOnce(string kind, string profile)
    {
        await using var rig = await Rig.StartAsync(NotLong);
        rig.Authority.HasRevocation = kind != "no revocation endpoint";
        rig.Authority.ExpiresIn = kind == "no expires_in" ? null : 1800;
        var two = rig.AddNode("two");
        var connection = await rig.AddConnectionAsync("long", profile);
        var (id, family) = await rig.GrantAsync(connection);
        await using var run = await rig.One.RunAsync(connection, await rig.One.SignInAsync());

        var (rows, refused, ended) = await FetchAsync(rig, run, two);

        Assert.Null(ended);
        Assert.Equal(Enumerable.Range(0, Chunks * RowsInAChunk), rows);
        // Only where a renewal kills the token in use does the platform refuse any, and the run goes on with the next one.
        Assert.Equal(profile == "test-kills", refused > 0);
        Assert.True(family.Redemptions >= 3, $"{family.Redemptions} renewals");
        Assert.Equal((1, 0, family.Redemptions + 1), (family.MostOfOneToken == 1 || profile == "test-none" ? 1 : family.MostOfOneToken, rig.Authority.Reuses, (await rig.RowAsync(id)).Generation));
    }

    [Fact]
    public async Task Statement_LongerThanAnHour_IsAUseThatTheBackgroundKeepsFresh()
    {
        await using var rig = await Rig.StartAsync(NotLong);
        rig.Authority.ExpiresIn = 1800;
        var two = rig.AddNode("two");
        await rig.GrantAsync(Rig.Lake);
        await using var run = await rig.One.RunAsync(Rig.Lake, await rig.One.SignInAsync());

        await FetchAsync(rig, run, two);

        // The node of the run never had to renew while somebody waited for rows.
        Assert.True(two.Events.Of(EventKind.TokensRenewed).Count >= 3);
        Assert.Empty(rig.One.Events.Of(EventKind.TokensRenewed));
    }

    [Fact]
    public async Task Statement_WhenTheGrantReachesItsAbsoluteEnd_EndsWithAClearRefusalAndNoRowTwice()
    {
        await using var rig = await Rig.StartAsync(NotLong);
        rig.Authority.ExpiresIn = 1800;
        var end = rig.Now.AddMinutes(75);
        var (id, family) = await rig.GrantAsync(Rig.Lake, absoluteEnd: end);
        family.EndsAt = end;
        await using var run = await rig.One.RunAsync(Rig.Lake, await rig.One.SignInAsync());

        var (rows, refused, ended) = await FetchAsync(rig, run, rig.AddNode("two"));

        Assert.Equal((RefusalKind.ReconnectRequired, ReconnectReason.Expired, Rig.Lake), (ended!.Kind, ended.Reconnect, ended.Connection));
        Assert.Contains("Connect again", ended.Detail, StringComparison.Ordinal);
        Assert.Equal(Enumerable.Range(0, rows.Count), rows);
        Assert.InRange(rig.Now, end, end + Each);
        Assert.Equal(0, refused);
        Assert.Equal("absolute-end", Assert.Single(rig.EventsOf(EventKind.GrantEnded)).Code);
        Assert.Equal(family.Redemptions + 1, (await rig.RowAsync(id)).Generation);
    }

    /// <summary>Asks for a bearer for every chunk, and for another one, once, when the platform refuses it.</summary>
    private static async Task<(List<int> Rows, int Refused, Refusal? Ended)> FetchAsync(Rig rig, QueryRun run, TestNode background)
    {
        var (rows, refused) = (new List<int>(), 0);
        for (var chunk = 0; chunk < Chunks; chunk++)
        {
            rig.Clock.Advance(Each);
            await rig.BackgroundAsync(background);
            if (!(await run.CurrentAsync(Rig.Cancellation)).TryGet(out var bearer, out var over))
                return (rows, refused, over);
            if (Chunk(rig, bearer, chunk) is not { } got)
            {
                refused++;
                if (!(await run.AfterRefusalAsync(bearer.Generation, Rig.Cancellation)).TryGet(out bearer, out over))
                    return (rows, refused, over);
                got = Chunk(rig, bearer, chunk)!;
            }
            rows.AddRange(got);
        }
        return (rows, refused, null);
    }

    /// <summary>The platform: the rows of a chunk, or null when it does not take the token.</summary>
    private static IEnumerable<int>? Chunk(Rig rig, IBearer bearer, int chunk) =>
        rig.Authority.Accepts(bearer.Token()) ? Enumerable.Range(chunk * RowsInAChunk, RowsInAChunk) : null;
}
