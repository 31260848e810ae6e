using Postern.Grants.Revocation;
using Postern.Grants.Tests.Support;
using Postern.Model;

namespace Postern.Grants.Tests.Tampering;

/// <summary>Whoever writes the database moves sealed values to wherever he likes, and none of them opens there.</summary>
public abstract class MovedCiphertextTests<TDatabase> where TDatabase : ITestDatabase
{
    // What says whose a grant is, and which.
    private static readonly string[] Ids =
        ["tenant", "subject_authority", "subject_id", "connection", "slot", "session_hash", "generation", "connection_digest", "definition_revision",
         "principal_issuer", "principal_id", "principal_name", "principal_email", "scopes", "absolute_end_at", "access_expires_at"];

    /// <summary>
    /// Every sealed value in every other's place: another person's, tenant's, connection's, kind's, table's and generation's.
    /// </summary>
    [Fact]
    public async Task Ciphertext_MovedToAnyOtherPlace_NeverOpens()
    {
        await using var rig = await Rig.StartAsync(database: await TDatabase.CreateMigratedAsync());
        var written = await Sealed.WriteAsync(rig);
        Assert.Equal((written.Places, 0), await written.CountAsync(IsSealed));
        var moves = 0;

        for (var by = 1; by < written.Values; by++)
        {
            moves += await written.ShiftAsync(by);
            Assert.Equal((0, written.Places), await written.CountAsync(IsSealed));
        }

        Assert.InRange(moves, 10_000, int.MaxValue);
        TestContext.Current.SendDiagnosticMessage($"{moves} moves of {written.Values} values to {written.Places} places");
        // Put back, all of them open: it was the moves.
        await written.ShiftAsync(0);
        Assert.Equal((written.Places, 0), await written.CountAsync(IsSealed));
    }

    /// <summary>As before, with the columns that say whose it is, with and without the MAC over them.</summary>
    [Theory]
    [InlineData("tokens and ids")]
    [InlineData("tokens, ids and MAC")]
    [InlineData("ids alone")]
    [InlineData("MAC alone")]
    public async Task Grant_WhoseRowIsMovedToAnotherId_NeverOpens(string what)
    {
        await using var rig = await Rig.StartAsync(database: await TDatabase.CreateMigratedAsync());
        var written = await Sealed.WriteAsync(rig);
        string[] columns =
        [
            .. what.Contains("tokens", StringComparison.Ordinal) ? ["access_sealed", "refresh_sealed"] : Array.Empty<string>(),
            .. what.Contains("ids", StringComparison.Ordinal) ? Ids : [],
            .. what.Contains("MAC", StringComparison.Ordinal) ? ["mac"] : Array.Empty<string>(),
        ];
        var grants = await written.ShiftRowsAsync(0, columns);
        Assert.Equal((grants, 0), await written.CountAsync(IsGrantMac));
        var (tokens, _) = await written.CountAsync(IsToken);
        // A MAC is none of what the vault binds tokens to; and revocations lie elsewhere.
        var open = columns is ["mac"] ? tokens : tokens - 2 * grants;

        for (var by = 1; by < grants; by++)
        {
            await written.ShiftRowsAsync(by, columns);
            Assert.Equal((0, grants), await written.CountAsync(IsGrantMac));
            Assert.Equal((open, tokens - open), await written.CountAsync(IsToken));
        }

        await written.ShiftRowsAsync(0, columns);
        Assert.Equal((grants, 0), await written.CountAsync(IsGrantMac));
        Assert.Equal((tokens, 0), await written.CountAsync(IsToken));
    }

    /// <summary>Read where the product reads it, each moved value is refused once, with an event, and nobody is asked anything with it.</summary>
    [Fact]
    public async Task Ciphertext_MovedAndThenUsed_IsAnEventEachTime()
    {
        await using var rig = await Rig.StartAsync(database: await TDatabase.CreateMigratedAsync());
        var written = await Sealed.WriteAsync(rig);
        var grants = await written.ShiftRowsAsync(0, []);
        var asked = rig.Authority.TokenRequests;

        await written.ShiftAsync(1);
        var answers = await written.AnswerAsync();
        Assert.All(answers, refused => Assert.Equal(RefusalKind.Untrusted, refused?.Kind));
        Assert.Equal((6, 4), (rig.One.Events.Of(EventKind.RowTampered).Count, rig.One.Events.Of(EventKind.SignInRefused).Count(WasRefusedByTheVault)));
        await rig.PumpAsync(rig.One.Get<Revoker>().TellAsync(Rig.Cancellation).ContinueWith(told => told.IsCompletedSuccessfully, TaskScheduler.Default));
        Assert.Equal(4, rig.One.Events.Of(EventKind.ProviderRevocationFailed).Count(WasRefusedByTheVault));

        // To the next person, to another connection and tenant, to another kind, to a former generation, out of a connect.
        foreach (var by in new[] { 1, 2, 3, 18, grants, grants + 1, 2 * grants, written.Places, written.Values - 1 })
        {
            await written.PutBackAsync();
            await written.ShiftAsync(by);
            var node = rig.AddNode($"reader-{by}");

            Assert.All(await written.UseGrantsAsync(node), refused => Assert.Equal(ReconnectReason.Changed, refused?.Reconnect));

            Assert.Equal(grants, node.Events.Of(EventKind.RecordRefused).Select(told => told.Grant).Distinct().Count());
            Assert.Equal(grants, node.Events.Of(EventKind.RecordRefused).Count);
        }

        Assert.Equal(asked, rig.Authority.TokenRequests);
        Assert.Empty(rig.Authority.Revoked);
    }

    [Fact]
    public async Task Grant_WhoseRowIsMovedAndThenUsed_IsAnEventEachTime()
    {
        await using var rig = await Rig.StartAsync(database: await TDatabase.CreateMigratedAsync());
        var written = await Sealed.WriteAsync(rig);
        var asked = rig.Authority.TokenRequests;

        foreach (var by in new[] { 1, 2, 3, 18, 35 })
        {
            await written.PutBackAsync();
            var grants = await written.ShiftRowsAsync(by, [.. Ids, "access_sealed", "refresh_sealed", "mac"]);
            var node = rig.AddNode($"reader-{by}");

            Assert.All(await written.UseGrantsAsync(node), refused => Assert.Equal(ReconnectReason.Changed, refused?.Reconnect));

            Assert.Equal(grants, node.Events.Of(EventKind.RowTampered).Select(told => told.Grant).Distinct().Count());
        }
        Assert.Equal(asked, rig.Authority.TokenRequests);
    }

    // Under another tenant's key it is an unknown version, elsewhere a refusal.
    private static bool WasRefusedByTheVault(AuditEvent told) => told.Code?.StartsWith("vault-", StringComparison.Ordinal) == true;

    private static bool IsSealed(string kind) => kind is "token.access" or "token.refresh" or "connect.pending" or "sign-in.pending";

    private static bool IsToken(string kind) => kind is "token.access" or "token.refresh";

    private static bool IsGrantMac(string kind) => kind == "mac.grant";
}

public sealed class MovedCiphertextTestsOnSqlite : MovedCiphertextTests<Sqlite>;

public sealed class MovedCiphertextTestsOnPostgreSql : MovedCiphertextTests<PostgreSql>;

public sealed class MovedCiphertextTestsOnMariaDb : MovedCiphertextTests<MariaDb>;
