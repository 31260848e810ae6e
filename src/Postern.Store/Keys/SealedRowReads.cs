using Postern.Model;

namespace Postern.Store;

/// <summary>How many rows of a table name one key version.</summary>
/// <param name="Table">The table.</param>
/// <param name="Rows">How many; not zero.</param>
/// <param name="Passing">True for rows that live minutes: they are waited for, not moved.</param>
public sealed record KeyUse(string Table, long Rows, bool Passing);

/// <summary>
/// Finds everything that is under a tenant's key: sealed records and row MACs, which both name their key version in bytes 4 to 19.
/// What is over (ended sessions, used codes and connects, revocations that were told) does not count.
/// </summary>
public sealed class SealedRowReads
{
    private static readonly Use Grants = new("grants", "1 = 1", ["access_sealed", "refresh_sealed", "mac"]);
    private static readonly Use Outbox = new("provider_revocations", "status = 0", ["access_sealed", "refresh_sealed"]);
    private static readonly Use Sessions = new("sessions", "ended_at IS NULL AND idle_expires_at > {now} AND absolute_expires_at > {now}", ["mac"]);
    private static readonly Use Definitions = new("definitions", "1 = 1", ["mac"]);
    private static readonly Use Connects = new("pending_connects", "mac IS NOT NULL AND expires_at > {now}", ["sealed", "mac"]) { Passing = true };
    private static readonly Use Codes = new("embed_codes", "used_at IS NULL AND expires_at > {now}", ["mac"]) { Passing = true };
    private static readonly Use SignIns = new("sign_ins", "used_at IS NULL AND expires_at > {now}", ["sealed"]) { Passing = true };
    private readonly Database database;

    internal SealedRowReads(Database database) => this.database = database;

    /// <summary>Every table with something under a tenant's key.</summary>
    internal static IReadOnlyList<Use> Uses { get; } = [Grants, Outbox, Sessions, Definitions, Connects, Codes, SignIns];

    /// <summary>Where a key version is still used; empty when it may go. A client secret within a definition's body is not looked at: the sweep moves it with its row.</summary>
    public async Task<IReadOnlyList<KeyUse>> UsesOfAsync(TenantId tenant, Guid version, CancellationToken cancellation)
    {
        var uses = new List<KeyUse>();
        foreach (var use in Uses)
        {
            var counted = await database.ListAsync(
                use.Select("COUNT(*) AS counted"), new { tenant = tenant.Value, keyVersion = Bytes(version) }, row => row.Number("counted"), cancellation);
            if (counted[0] > 0)
                uses.Add(new(use.Table, counted[0], use.Passing));
        }
        return uses;
    }

    /// <summary>How many rows that are moved are not under this key version.</summary>
    public async Task<long> CountNotUnderAsync(TenantId tenant, Guid version, CancellationToken cancellation)
    {
        long total = 0;
        foreach (var use in Uses.Where(use => !use.Passing))
        {
            var counted = await database.ListAsync(
                use.SelectNotUnder("COUNT(*) AS counted"), new { tenant = tenant.Value, keyVersion = Bytes(version) }, row => row.Number("counted"), cancellation);
            total += counted[0];
        }
        return total;
    }

    /// <summary>Grants with anything under another key version than this, in the order of their ids; all of them when it is null.</summary>
    public Task<IReadOnlyList<GrantRow>> GrantsAsync(TenantId tenant, Guid? notUnder, GrantId? after, int limit, CancellationToken cancellation) =>
        PageAsync(Grants, "id", tenant, notUnder, after?.ToString(), limit, GrantRow.Read, cancellation);

    /// <summary>Revocations that wait, as <see cref="GrantsAsync"/>.</summary>
    public Task<IReadOnlyList<RevocationRow>> RevocationsAsync(TenantId tenant, Guid? notUnder, Guid? after, int limit, CancellationToken cancellation) =>
        PageAsync(Outbox, "id", tenant, notUnder, after?.ToString("D"), limit, RevocationRow.Read, cancellation);

    /// <summary>Live sessions, as <see cref="GrantsAsync"/>.</summary>
    public Task<IReadOnlyList<SessionRow>> SessionsAsync(TenantId tenant, Guid? notUnder, SecretHash? after, int limit, CancellationToken cancellation) =>
        PageAsync(Sessions, "id_hash", tenant, notUnder, after?.Hex, limit, SessionRow.Read, cancellation);

    /// <summary>All revisions of all definitions of a tenant.</summary>
    public Task<IReadOnlyList<DefinitionRow>> DefinitionsAsync(TenantId tenant, CancellationToken cancellation) => database.ListAsync(
        "SELECT * FROM definitions WHERE tenant = @tenant ORDER BY kind, name, revision", new { tenant = tenant.Value }, DefinitionRow.Read, cancellation);

    /// <summary>Connects under way.</summary>
    public Task<IReadOnlyList<PendingConnectRow>> ConnectsAsync(TenantId tenant, CancellationToken cancellation) => AllAsync(Connects, tenant, PendingConnectRow.Read, cancellation);

    /// <summary>Embed codes that may still be redeemed.</summary>
    public Task<IReadOnlyList<EmbedCodeRow>> CodesAsync(TenantId tenant, CancellationToken cancellation) => AllAsync(Codes, tenant, EmbedCodeRow.Read, cancellation);

    /// <summary>Sign-ins under way.</summary>
    public Task<IReadOnlyList<SignInRow>> SignInsAsync(TenantId tenant, CancellationToken cancellation) => AllAsync(SignIns, tenant, SignInRow.Read, cancellation);

    /// <summary>A key version as records and MACs carry it.</summary>
    internal static byte[] Bytes(Guid version) => version.ToByteArray(bigEndian: true);

    private Task<IReadOnlyList<T>> AllAsync<T>(Use use, TenantId tenant, Func<Columns, T> read, CancellationToken cancellation) =>
        database.ListAsync($"SELECT * FROM {use.Table} WHERE tenant = @tenant AND {use.Counts}", new { tenant = tenant.Value }, read, cancellation);

    private Task<IReadOnlyList<T>> PageAsync<T>(
        Use use, string key, TenantId tenant, Guid? notUnder, string? after, int limit, Func<Columns, T> read, CancellationToken cancellation) => database.ListAsync(
        $"""
        {(notUnder is null ? $"SELECT * FROM {use.Table} WHERE tenant = @tenant AND {use.Counts}" : use.SelectNotUnder("*"))}
            AND {key} > @after ORDER BY {key} LIMIT @limit
        """,
        new { tenant = tenant.Value, keyVersion = notUnder is { } version ? Bytes(version) : [], after = after ?? "", limit }, read, cancellation);

    /// <summary>A table, which of its rows count, and its columns that name a key version.</summary>
    internal sealed record Use(string Table, string Counts, string[] Columns)
    {
        public bool Passing { get; init; }

        public string Select(string what) => Select(what, "=");

        public string SelectNotUnder(string what) => Select(what, "<>");

        // NULL columns compare to nothing, which is right either way.
        private string Select(string what, string comparison) =>
            $"SELECT {what} FROM {Table} WHERE tenant = @tenant AND {Counts} AND ({string.Join(" OR ", Columns.Select(column => $"SUBSTR({column}, 4, 16) {comparison} @keyVersion"))})";
    }
}
