using Postern.Model;

namespace Postern.Store;

/// <summary>Finds revocations in the outbox.</summary>
public sealed class RevocationReads
{
    private readonly Database database;

    internal RevocationReads(Database database) => this.database = database;

    /// <summary>Pending ones that may be tried now, of all tenants, the longest waiting first.</summary>
    public Task<IReadOnlyList<RevocationRow>> DueAsync(int limit, CancellationToken cancellation) => database.ListAsync(
        "SELECT * FROM provider_revocations WHERE status = 0 AND not_before <= {now} ORDER BY not_before LIMIT @limit",
        new { limit }, RevocationRow.Read, cancellation);

    /// <summary>How many are pending, due or not, of all tenants.</summary>
    public async Task<long> CountPendingAsync(CancellationToken cancellation) => (await database.ListAsync(
        "SELECT COUNT(*) AS amount FROM provider_revocations WHERE status = 0", null, row => row.Number("amount"), cancellation))[0];

    /// <summary>How many of a tenant stand at each status.</summary>
    public async Task<IReadOnlyDictionary<RevocationStatus, long>> CountAsync(TenantId tenant, CancellationToken cancellation) =>
        (await database.ListAsync(
            "SELECT status, COUNT(*) AS counted FROM provider_revocations WHERE tenant = @tenant GROUP BY status",
            new { tenant = tenant.Value }, row => ((RevocationStatus)row.Int("status"), row.Number("counted")), cancellation))
        .ToDictionary(pair => pair.Item1, pair => pair.Item2);

    /// <summary>All of a grant, latest first.</summary>
    public Task<IReadOnlyList<RevocationRow>> ListOfAsync(TenantId tenant, GrantId grant, CancellationToken cancellation) => database.ListAsync(
        "SELECT * FROM provider_revocations WHERE grant_id = @grant AND tenant = @tenant ORDER BY created_at DESC, id",
        new { grant = grant.ToString(), tenant = tenant.Value }, RevocationRow.Read, cancellation);
}
