using Dapper;
using Postern.Audit;
using Postern.Model;

namespace Postern.Store;

/// <summary>
/// Gives the leaves of the audit log their place: a gap-free index per tenant and the hash of the chain. One node at a time, by a
/// lease row; lease, order and heads change in one transaction, so a sequencer that dies anywhere leaves nothing half done, and one
/// that was paused past its lease finds it gone.
/// </summary>
public sealed class Sequencer
{
    private const string Lease = "sequencer";

    private readonly Database database;
    private readonly AuditReader reader;
    private readonly IWriter writer;
    private readonly StoreOptions options;
    private readonly string holder;

    internal Sequencer(Database database, IWriter writer, StoreOptions options, IChance chance)
    {
        this.database = database;
        reader = new(database);
        this.writer = writer;
        this.options = options;
        // Two starts of one node are two holders.
        holder = $"{options.Node}/{chance.NewId():D}";
    }

    /// <summary>How many leaves one transaction orders, so that commits need not wait long behind it.</summary>
    internal const int PerTurn = 256;

    /// <summary>
    /// Orders what waits: how many leaves got their place, or null when some wait but another node holds the lease.
    /// </summary>
    public async Task<int?> RunAsync(CancellationToken cancellation)
    {
        // Looked for outside a transaction first: an idle deployment writes nothing to the disk.
        if (await reader.WaitingAsync(cancellation) == 0)
            return 0;

        var total = 0;
        while (true)
        {
            var ordered = await writer.RunAsync(TurnAsync, cancellation);
            if (ordered is null)
                return null;
            total += ordered.Value;
            if (ordered < PerTurn)
                return total;
        }
    }

    /// <summary>
    /// The position of a tenant's log once everything that was recorded before this call has its place, as text; null when another node
    /// holds the lease and does not order.
    /// </summary>
    public async Task<string?> PositionAsync(TenantId tenant, TimeProvider time, CancellationToken cancellation)
    {
        for (var tries = 0; tries < 40; tries++)
        {
            if (await RunAsync(cancellation) is not null)
            {
                await ReleaseAsync(cancellation);
                return (await reader.HeadAsync(tenant, cancellation))?.ToString();
            }
            await Task.Delay(TimeSpan.FromMilliseconds(250), time, cancellation);
        }
        return null;
    }

    /// <summary>Gives the lease up, so that another node need not wait for its end.</summary>
    public Task ReleaseAsync(CancellationToken cancellation) => writer.RunAsync(
        async scope => new Written<int>(
            await ExecuteAsync(scope, "UPDATE leases SET expires_at = 0 WHERE name = @name AND holder = @holder", new { name = Lease, holder }),
            Keep: true),
        cancellation);

    private async Task<Written<int?>> TurnAsync(WriteScope scope)
    {
        if (!await HoldLeaseAsync(scope))
            return new(null, Keep: false);

        var waiting = await database.ListAsync(
            scope.Connection,
            scope.Transaction,
            "SELECT id, tenant, leaf_hash FROM event_leaves WHERE sequenced = 0 ORDER BY id LIMIT @limit",
            new { limit = PerTurn },
            row => (Id: row.Number("id"), Tenant: row.Tenant(), Hash: row.Text("leaf_hash")),
            CancellationToken.None);
        foreach (var ofTenant in waiting.GroupBy(leaf => leaf.Tenant))
            await ExtendAsync(scope, ofTenant.Key, ofTenant.Select(leaf => (leaf.Id, leaf.Hash)));
        return new(waiting.Count, Keep: true);
    }

    private async Task<bool> HoldLeaseAsync(WriteScope scope)
    {
        var parameters = new { name = Lease, holder, ttl = options.SequencerLease.ToMs() };
        return await ExecuteAsync(
            scope, "UPDATE leases SET expires_at = {now} + @ttl WHERE name = @name AND holder = @holder AND expires_at > {now}", parameters) == 1
            || await ExecuteAsync(
                scope,
                "UPDATE leases SET holder = @holder, fence = fence + 1, expires_at = {now} + @ttl WHERE name = @name AND expires_at <= {now}",
                parameters) == 1;
    }

    private async Task ExtendAsync(WriteScope scope, TenantId tenant, IEnumerable<(long Id, string Hash)> leaves)
    {
        var start = await HeadAsync(scope, tenant);
        var head = start ?? ChainVerifier.StartOf(tenant);
        foreach (var (id, hash) in leaves)
        {
            // The stored hash, not one made again from the bytes: bytes edited meanwhile then show as edited at this index.
            var entry = HashChain.Next(head.Entry, Convert.FromHexString(hash), head.Size);
            await ExecuteAsync(
                scope,
                "INSERT INTO audit_log (tenant, position, leaf_id, entry_hash) VALUES (@tenant, @position, @id, @entry)",
                new { tenant = tenant.Value, position = head.Size, id, entry = Convert.ToHexStringLower(entry) });
            await MustAsync(scope, "UPDATE event_leaves SET sequenced = 1 WHERE id = @id AND sequenced = 0", new { id });
            head = new(head.Size + 1, entry);
        }

        var parameters = new { tenant = tenant.Value, size = head.Size, entry = Convert.ToHexStringLower(head.Entry), before = start?.Size };
        await MustAsync(
            scope,
            start is null
                ? "INSERT INTO audit_heads (tenant, size, entry_hash) VALUES (@tenant, @size, @entry)"
                : "UPDATE audit_heads SET size = @size, entry_hash = @entry WHERE tenant = @tenant AND size = @before",
            parameters);
    }

    private async Task<AuditHead?> HeadAsync(WriteScope scope, TenantId tenant)
    {
        var found = await database.ListAsync(
            scope.Connection,
            scope.Transaction,
            "SELECT size, entry_hash FROM audit_heads WHERE tenant = @tenant",
            new { tenant = tenant.Value },
            AuditReader.ReadHead,
            CancellationToken.None);
        return found.Count == 0 ? null : found[0];
    }

    private async Task MustAsync(WriteScope scope, string sql, object parameters)
    {
        // Only a second sequencer could cause this, which the lease forbids; undo rather than fork the log.
        if (await ExecuteAsync(scope, sql, parameters) != 1)
            throw new InvalidOperationException("The audit log moved under the sequencer that holds its lease.");
    }

    private Task<int> ExecuteAsync(WriteScope scope, string sql, object parameters) =>
        scope.Connection.ExecuteAsync(database.Bind(sql, parameters, scope.Transaction, CancellationToken.None));
}
