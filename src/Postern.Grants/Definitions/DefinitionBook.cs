using System.Collections.Concurrent;
using System.Text.Json;
using Microsoft.Extensions.Logging;
using Postern.Model;
using Postern.Store;
using Postern.Vault;

namespace Postern.Grants.Definitions;

/// <summary>
/// Tenants, connections, policies, embed keys and workbooks as versioned rows, each under a MAC of the vault. One snapshot in memory,
/// rebuilt when the feed names a definition. A row whose MAC does not fit, or an older revision that was put back, is an event
/// and is not believed: whatever it defines is unavailable until somebody with the key puts it right.
/// </summary>
public sealed partial class DefinitionBook(PosternStore store, TokenVault vault, TimeProvider time, ILogger<DefinitionBook> log) : IChangeListener, IDisposable
{
    private static readonly TimeSpan LookAgainAfter = TimeSpan.FromSeconds(1);
    private readonly SemaphoreSlim rebuilding = new(1, 1);
    private readonly DefinitionJudge judge = new(store, vault, log);
    // How often the keys of each tenant changed: what was judged under others is judged again.
    private readonly ConcurrentDictionary<TenantId, long> keyChanges = new();
    private volatile DefinitionSnapshot? snapshot;
    // Counts what makes a snapshot old; one is in force while nothing was counted since its building began.
    private long heard;
    private long missed;
    private long looked;

    /// <summary>The tenant of a host name, or null.</summary>
    public async ValueTask<Tenant?> TenantOfHostAsync(string host, CancellationToken cancellation) =>
        (await CurrentAsync(cancellation)).Hosts.GetValueOrDefault(host);

    /// <summary>All tenants.</summary>
    public async ValueTask<IReadOnlyCollection<Tenant>> TenantsAsync(CancellationToken cancellation) =>
        (await CurrentAsync(cancellation)).Tenants.Values;

    /// <summary>All connections of all tenants.</summary>
    internal async ValueTask<IReadOnlyCollection<Connection>> ConnectionsAsync(CancellationToken cancellation) =>
        (await CurrentAsync(cancellation)).Connections.Values;

    /// <summary>A connection of a tenant, its client secret opened.</summary>
    public async ValueTask<Outcome<Connection>> ConnectionAsync(TenantId tenant, ConnectionId id, CancellationToken cancellation)
    {
        var current = await CurrentAsync(cancellation);
        if (current.Connections.TryGetValue((tenant, id), out var connection))
            return connection;
        return current.Refused.TryGetValue((tenant, DefinitionKind.Connection, id.Value), out var why)
            ? why with { Connection = id }
            : new Refusal(RefusalKind.NotFound, "There is no such connection.") { Code = "connection-unknown" };
    }

    /// <summary>An embed key of a tenant, or null.</summary>
    public async ValueTask<EmbedKey?> EmbedKeyAsync(TenantId tenant, string id, CancellationToken cancellation) =>
        (await CurrentAsync(cancellation)).EmbedKeys.GetValueOrDefault((tenant, id));

    /// <summary>The current rows of a kind that another room reads: policies, workbooks.</summary>
    public async ValueTask<IReadOnlyList<DefinitionRow>> RowsAsync(TenantId tenant, DefinitionKind kind, CancellationToken cancellation) =>
        (await CurrentAsync(cancellation)).Others.GetValueOrDefault((tenant, kind)) ?? [];

    /// <summary>Grows with each rebuilt snapshot; whoever derives something from definitions compares it.</summary>
    public long Version => snapshot?.Version ?? 0;

    /// <summary>Puts into the store what differs from it, each as a new revision with its event. Answers what was changed.</summary>
    /// <param name="seed">What the configuration says.</param>
    /// <param name="actor">Who says it, for the event.</param>
    public async Task<IReadOnlyList<string>> SeedAsync(TenantSeed seed, string actor, CancellationToken cancellation)
    {
        var tenant = seed.Tenant.Id;
        var changed = new List<string>();
        await PutAsync(tenant, DefinitionKind.Tenant, tenant.Value, seed.Tenant.SignIn.Client.ClientSecret,
            sealedSecret => DefinitionJson.Write(seed.Tenant, sealedSecret), DefinitionJudge.SignInContext(seed.Tenant), changed, actor, cancellation);
        foreach (var connection in seed.Connections)
        {
            await PutAsync(tenant, DefinitionKind.Connection, connection.Id.Value, connection.Authorization.ClientSecret,
                sealedSecret => DefinitionJson.Write(connection, sealedSecret), DefinitionJudge.SecretContext(connection), changed, actor, cancellation);
        }
        foreach (var key in seed.EmbedKeys)
            await PutAsync(tenant, DefinitionKind.EmbedKey, key.Id, null, _ => DefinitionJson.Write(key), null, changed, actor, cancellation);
        foreach (var other in seed.Others)
            await PutAsync(tenant, other.Kind, other.Name, null, _ => other.Body, null, changed, actor, cancellation);
        Interlocked.Increment(ref heard);
        return changed;
    }

    /// <summary>Puts one definition of another room, where it differs or was made by somebody else.</summary>
    public async Task PutAsync(TenantId tenant, SeedBody body, string actor, CancellationToken cancellation)
    {
        await PutAsync(tenant, body.Kind, body.Name, null, _ => body.Body, null, [], actor, cancellation);
        Interlocked.Increment(ref heard);
    }

    /// <summary>
    /// Retires what this maker put for a tenant earlier and no longer names: each gets an empty revision with its event, and the sessions
    /// that rest on it end in the same transaction. What somebody else made stays. Answers what was retired.
    /// </summary>
    /// <param name="tenant">Whose definitions.</param>
    /// <param name="kept">What the maker still names, by kind and name; kinds that are absent are left alone.</param>
    /// <param name="actor">The maker, for the event too.</param>
    public async Task<IReadOnlyList<string>> RetireOthersAsync(
        TenantId tenant, IReadOnlyDictionary<DefinitionKind, IReadOnlySet<string>> kept, string actor, CancellationToken cancellation)
    {
        var retired = new List<string>();
        foreach (var (kind, names) in kept)
        {
            foreach (var row in await store.Definitions.CurrentAsync(tenant, kind, cancellation))
            {
                if (row.MadeBy != actor || row.IsRetired || names.Contains(row.Name))
                    continue;
                if (await RetireAsync(row, actor, cancellation))
                    retired.Add(DefinitionRow.FeedKey(kind, row.Name));
            }
        }
        return retired;
    }

    /// <summary>Retires one definition, whoever made it; false when there is none such in force, or somebody else changed it meanwhile.</summary>
    public async Task<bool> RetireAsync(TenantId tenant, DefinitionKind kind, string name, string actor, CancellationToken cancellation) =>
        await store.Definitions.CurrentAsync(tenant, kind, name, cancellation) is { IsRetired: false } row && await RetireAsync(row, actor, cancellation);

    /// <summary>The tenants that this maker put and did not retire, as the store has them now.</summary>
    public async Task<IReadOnlyList<TenantId>> TenantsOfMakerAsync(string actor, CancellationToken cancellation) =>
        [.. (await store.Definitions.CurrentOfAllAsync(DefinitionKind.Tenant, cancellation)).Where(row => row.MadeBy == actor && !row.IsRetired).Select(row => row.Tenant)];

    /// <summary>True, with a warning, for a tenant that was shredded: it gets no definitions, because it gets no key.</summary>
    public async Task<bool> MustPassOverAsync(TenantId tenant, CancellationToken cancellation)
    {
        if (!await store.Keys.IsShreddedAsync(tenant, cancellation))
            return false;
        PassedOver(log, tenant);
        return true;
    }

    /// <inheritdoc/>
    public void OnChanges(IReadOnlyList<ChangeRow> changes)
    {
        foreach (var change in changes)
        {
            if (change.Kind == ChangeKind.Key)
                keyChanges.AddOrUpdate(change.Tenant, 1, (_, changes) => changes + 1);
            if (change.Kind is ChangeKind.Definition)
                Interlocked.Increment(ref heard);
        }
    }

    /// <inheritdoc/>
    public void OnMissed()
    {
        Interlocked.Increment(ref missed);
        Interlocked.Increment(ref heard);
    }

    /// <inheritdoc/>
    public void Dispose() => rebuilding.Dispose();

    private async Task PutAsync(
        TenantId tenant, DefinitionKind kind, string name, SecretText? secret, Func<byte[]?, string> write, RecordContext? context,
        List<string> changed, string actor, CancellationToken cancellation)
    {
        var current = await store.Definitions.CurrentAsync(tenant, kind, name, cancellation);
        if (current is not null && await judge.BelieveAsync(current, cancellation) is { } believed)
        {
            if (!believed.IsRetired && believed.MadeBy == actor && await SameAsync(believed, secret, write, context, cancellation))
                return;
            current = believed;
        }

        byte[]? sealedSecret = null;
        if (secret is not null && context is not null)
        {
            using var bytes = SecretBytes.FromText(secret.Reveal());
            sealedSecret = await vault.SealAsync(context, bytes, cancellation);
        }
        var body = write(sealedSecret);
        var previous = current?.Revision ?? 0;
        // Above all that there ever were, not only above the one in force, which may be an old one that somebody put back.
        var next = await judge.HighestAsync(tenant, kind, name, cancellation) + 1;
        var mac = await judge.MacAsync(tenant, kind, name, next, body, actor, cancellation);
        var result = await store.CommitAsync(
            DefinitionChanges.Put(tenant, kind, name, previous, next, body, mac, actor),
            new AuditEvent(EventKind.DefinitionChanged, tenant) { Actor = actor }
                .With("definition", DefinitionRow.FeedKey(kind, name)).With("revision", next).With("sha256", DefinitionRow.DigestOf(body)),
            null, cancellation);
        // Refused: another node put the same configuration in the same moment; it is there.
        if (result.Committed)
            changed.Add(DefinitionRow.FeedKey(kind, name));
    }

    private async Task<bool> RetireAsync(DefinitionRow row, string actor, CancellationToken cancellation)
    {
        var (tenant, kind, name) = (row.Tenant, row.Kind, row.Name);
        // An edited row goes as well, and is reported first: nobody reads it again afterwards.
        await judge.BelieveAsync(row, cancellation);
        var next = await judge.HighestAsync(tenant, kind, name, cancellation) + 1;
        var mac = await judge.MacAsync(tenant, kind, name, next, "", actor, cancellation);
        var result = await store.CommitAsync(
            DefinitionChanges.Retire(row, next, mac, actor),
            new AuditEvent(EventKind.DefinitionChanged, tenant) { Actor = actor }
                .With("definition", DefinitionRow.FeedKey(kind, name)).With("revision", next).With("sha256", DefinitionRow.DigestOf("")).With("retired", "yes"),
            null, cancellation);
        Interlocked.Increment(ref heard);
        return result.Committed;
    }

    private async Task<bool> SameAsync(
        DefinitionRow current, SecretText? secret, Func<byte[]?, string> write, RecordContext? context, CancellationToken cancellation)
    {
        if (context is null)
            return current.Body == write(null);
        using var document = JsonDocument.Parse(current.Body);
        var sealedSecret = document.RootElement.TryGetProperty("sealedSecret", out var element) ? element.GetBytesFromBase64() : null;
        if (current.Body != write(sealedSecret) || sealedSecret is null != secret is null)
            return false;
        if (sealedSecret is null || secret is null)
            return true;
        var opened = await vault.OpenAsync(context, sealedSecret, cancellation);
        using var told = SecretBytes.FromText(secret.Reveal());
        if (!opened.TryGet(out var kept, out _))
            return false;
        using (kept)
            return kept.Equals(told);
    }

    private async ValueTask<DefinitionSnapshot> CurrentAsync(CancellationToken cancellation)
    {
        if (snapshot is { } ready && ready.AsOf == Interlocked.Read(ref heard))
        {
            if (ready.IsIncomplete)
                LookAgain();
            return ready;
        }
        await rebuilding.WaitAsync(cancellation);
        try
        {
            // Whoever comes meanwhile waits here too: what was in force before the change must not be answered after it.
            var now = Interlocked.Read(ref heard);
            return snapshot is { } other && other.AsOf == now ? other : snapshot = await BuildAsync(now, cancellation);
        }
        finally
        {
            rebuilding.Release();
        }
    }

    /// <summary>Judges anew what could not be judged for want of a key, at most once a second; meanwhile everybody goes on with what there is.</summary>
    private void LookAgain()
    {
        if (time.GetElapsedTime(Volatile.Read(ref looked)) >= LookAgainAfter && rebuilding.Wait(0))
            _ = LookAgainAsync();
    }

    private async Task LookAgainAsync()
    {
        try
        {
            snapshot = await BuildAsync(Interlocked.Read(ref heard), CancellationToken.None);
        }
        catch (Exception broken)
        {
            NotLookedAgain(log, broken);
        }
        finally
        {
            Volatile.Write(ref looked, time.GetTimestamp());
            try
            {
                rebuilding.Release();
            }
            catch (ObjectDisposedException)
            {
                // The node ended meanwhile.
            }
        }
    }

    private async Task<DefinitionSnapshot> BuildAsync(long asOf, CancellationToken cancellation)
    {
        var incomplete = false;
        var rows = new List<DefinitionRow>();
        foreach (var kind in Enum.GetValues<DefinitionKind>())
            rows.AddRange(await store.Definitions.CurrentOfAllAsync(kind, cancellation));
        // After the rows: one that came into force since is looked for again.
        var newest = await store.Definitions.HighestOfAllAsync(cancellation);

        var before = snapshot;
        var believed = new Dictionary<(TenantId, DefinitionKind, string), BelievedDefinition>();
        var refused = new Dictionary<(TenantId, DefinitionKind, string), Refusal>();
        foreach (var row in rows)
        {
            var key = (row.Tenant, row.Kind, row.Name);
            // Before the row is judged: a key that changes meanwhile has it judged again.
            var stamp = StampOf(row.Tenant);
            var was = before?.Believed.GetValueOrDefault(key);
            // Byte for byte what was judged before, under keys that nobody changed since.
            if (was is not null && was.Stamp == stamp && was.Is(row) && row.Revision >= newest.GetValueOrDefault(key))
            {
                believed[key] = was;
                continue;
            }
            try
            {
                if (await judge.BelieveAsync(row, newest.GetValueOrDefault(key), cancellation) is not { } fits)
                    refused[key] = DefinitionSnapshot.Edited;
                else if (!fits.IsRetired)
                    believed[key] = new(fits, await judge.ReadAsync(fits, cancellation), stamp);
            }
            catch (VaultException unavailable) when (before is not null || unavailable.Refusal.AsVaultError() == VaultError.RootKeyMissing)
            {
                // That the key cannot be had is this tenant's alone, and what was believed of it stays: a query's start asks the database
                // whether the revision that it was judged by is in force.
                if (was is not null)
                    believed[key] = was with { Stamp = -1 };
                else
                    refused[key] = KeysUnavailable.Of(unavailable.Refusal);
                incomplete = true;
            }
        }
        Volatile.Write(ref looked, time.GetTimestamp());
        return DefinitionSnapshot.Of((before?.Version ?? 0) + 1, asOf, incomplete, believed, refused);
    }

    private long StampOf(TenantId tenant) => keyChanges.GetValueOrDefault(tenant) + Interlocked.Read(ref missed);

    [LoggerMessage(4502, LogLevel.Warning, "Tenant {Tenant} was shredded and is passed over. Take it out of the configuration; a tenant of another name may begin anew.")]
    private static partial void PassedOver(ILogger log, TenantId tenant);

    [LoggerMessage(4503, LogLevel.Warning, "Definitions that could not be judged could not be looked at again; they are in a second.")]
    private static partial void NotLookedAgain(ILogger log, Exception broken);
}
