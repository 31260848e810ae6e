using Postern.Model;

namespace Postern.Store.Tests;

/// <summary>Rows as tests need them: one person, one connection, one session.</summary>
internal static class Given
{
    public static readonly TenantId Tenant = TenantId.Parse("acme");
    public static readonly ConnectionId Connection = ConnectionId.Parse("lakehouse");
    public static readonly SubjectKey Ana = new(Tenant, "https://sign-in.example", "ana");
    public static readonly SecretHash Session = SecretHash.Of("session of ana");
    public static readonly SecretHash Confirmation = SecretHash.Of("confirmation");

    public static AuditEvent Event(EventKind kind = EventKind.TokensIssued) => new(kind, Tenant) { Subject = Ana, Connection = Connection };

    public static SealedPair Pair(DateTimeOffset now, string mark = "1") => new(
        $"access {mark}".ToUtf8(), $"refresh {mark}".ToUtf8(), now.AddHours(1), now.AddDays(30), now.AddMinutes(52));

    public static NewGrant NewGrant(StoreFixture fixture, SubjectKey? subject = null, SecretHash? session = null) => new()
    {
        Id = new(fixture.Chance.NewId()),
        Subject = subject ?? Ana,
        Connection = Connection,
        Session = session ?? Session,
        Pair = Pair(fixture.Now),
        Scopes = "sql offline_access",
        Principal = new("https://issuer.example", "42", "ana@example.com", "ana@example.com"),
        ConnectionDigest = new byte[32],
        DefinitionRevision = 1,
        AbsoluteEndAt = fixture.Now.AddDays(90),
        Mac = [1],
    };

    public static async Task<GrantRow> ActiveGrantAsync(StoreFixture fixture, SubjectKey? subject = null)
    {
        var grant = NewGrant(fixture, subject);
        await fixture.Store.MustAsync([GrantChanges.InsertActive(grant)]);
        return await fixture.GrantAsync(grant.Id);
    }

    public static SessionRow NewSession(StoreFixture fixture, SubjectKey? subject = null, string secret = "session of ana") => new(
        SecretHash.Of(secret), subject ?? Ana, SessionKind.Portal, "{}", fixture.Now, fixture.Now.AddHours(1), fixture.Now.AddHours(12), [1, 2, 3]);

    public static async Task SessionAndConnectionAsync(StoreFixture fixture)
    {
        await fixture.Store.MustAsync([SessionChanges.Create(NewSession(fixture))], EventKind.SignedIn);
        await fixture.Store.MustAsync(
            DefinitionChanges.Put(Tenant, DefinitionKind.Connection, Connection.Value, 0, 1, "{}", [1]), EventKind.DefinitionChanged);
    }

    public static NewQueryRun Run(StoreFixture fixture, GrantRow grant) => new(
        new(fixture.Chance.NewId()), Ana, Session, Connection, grant.Id, grant.Generation, SecretHash.Of("SELECT 1"), 1, "one", Guid.Empty)
    { GrantMac = grant.Mac };

    public static PendingConnectRow NewConnect(StoreFixture fixture, string handle) => new(
        fixture.Chance.NewId(), Ana, "{}", Connection, Session, SessionKind.Frame, "https://host.example", "Skyline",
        SecretHash.Of(handle), [1, 2], "https://issuer.example", "https://gateway.example/oauth/callback", fixture.Now.AddMinutes(10))
    { Mac = [1] };

    public static async Task MustAsync(this PosternStore store, IReadOnlyList<Change> changes, EventKind kind = EventKind.TokensIssued)
    {
        var result = await store.CommitAsync(changes, Event(kind), null, TestContext.Current.CancellationToken);
        Assert.True(result.Committed, $"refused by {result.Refused}");
    }

    public static async Task RefuseAsync(this PosternStore store, string by, IReadOnlyList<Change> changes)
    {
        var result = await store.CommitAsync(changes, Event(), null, TestContext.Current.CancellationToken);
        Assert.Equal(CommitResult.RefusedBy(by), result);
    }

    public static async Task<GrantRow> GrantAsync(this StoreFixture fixture, GrantId id)
    {
        var row = await fixture.Store.Grants.FindAsync(Tenant, id, TestContext.Current.CancellationToken);
        Assert.NotNull(row);
        return row;
    }

    private static byte[] ToUtf8(this string text) => System.Text.Encoding.UTF8.GetBytes(text);
}
