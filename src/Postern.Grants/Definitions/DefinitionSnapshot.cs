using System.Collections.Frozen;
using Postern.Model;
using Postern.Store;

namespace Postern.Grants.Definitions;

/// <summary>A row whose MAC fitted, with what it defines.</summary>
/// <param name="Row">The row as it was judged.</param>
/// <param name="Definition">The tenant, connection or embed key, client secrets opened; null for what another room reads.</param>
/// <param name="Stamp">Counts changes of the tenant's keys up to then.</param>
internal sealed record BelievedDefinition(DefinitionRow Row, object? Definition, long Stamp)
{
    /// <summary>True when the row is the one that was judged, byte for byte.</summary>
    public bool Is(DefinitionRow row) =>
        row.Revision == Row.Revision && row.Body == Row.Body && row.MadeBy == Row.MadeBy && row.Mac.AsSpan().SequenceEqual(Row.Mac);
}

/// <summary>All definitions in force that were believed, at one moment, and why others were not.</summary>
/// <param name="Version">Grows with each snapshot.</param>
/// <param name="AsOf">How many changes had been heard of when its building began.</param>
/// <param name="IsIncomplete">True when something could not be judged, because its tenant's key was not to be had.</param>
internal sealed record DefinitionSnapshot(
    long Version,
    long AsOf,
    bool IsIncomplete,
    FrozenDictionary<(TenantId, DefinitionKind, string), BelievedDefinition> Believed,
    FrozenDictionary<TenantId, Tenant> Tenants,
    FrozenDictionary<string, Tenant> Hosts,
    FrozenDictionary<(TenantId, ConnectionId), Connection> Connections,
    FrozenDictionary<(TenantId, string), EmbedKey> EmbedKeys,
    FrozenDictionary<(TenantId, DefinitionKind), IReadOnlyList<DefinitionRow>> Others,
    FrozenDictionary<(TenantId, DefinitionKind, string), Refusal> Refused)
{
    /// <summary>Why a row is refused that somebody edited.</summary>
    public static Refusal Edited { get; } = new(
        RefusalKind.Unavailable, "The settings of this connection were changed outside Postern and are not used. An administrator has to put them right.")
    {
        Code = "definition-tampered",
    };

    public static DefinitionSnapshot Of(
        long version, long asOf, bool isIncomplete, IReadOnlyDictionary<(TenantId, DefinitionKind, string), BelievedDefinition> believed,
        IReadOnlyDictionary<(TenantId, DefinitionKind, string), Refusal> refused)
    {
        var tenants = believed.Values.Select(one => one.Definition).OfType<Tenant>().ToFrozenDictionary(tenant => tenant.Id);
        return new(
            version,
            asOf,
            isIncomplete,
            believed.ToFrozenDictionary(),
            tenants,
            HostsOf(tenants.Values),
            believed.Values.Select(one => one.Definition).OfType<Connection>().ToFrozenDictionary(connection => (connection.Tenant, connection.Id)),
            believed.Values.Select(one => one.Definition).OfType<EmbedKey>().ToFrozenDictionary(key => (key.Tenant, key.Id)),
            believed.Values.Select(one => one.Row).GroupBy(row => (row.Tenant, row.Kind))
                .ToFrozenDictionary(group => group.Key, group => (IReadOnlyList<DefinitionRow>)[.. group]),
            refused.ToFrozenDictionary());
    }

    // A host that two tenants name belongs to neither: nobody takes over another's origin, and the other tenants go on.
    private static FrozenDictionary<string, Tenant> HostsOf(IEnumerable<Tenant> tenants) => tenants
        .SelectMany(tenant => tenant.Hosts.Distinct(StringComparer.Ordinal), (tenant, host) => (host, tenant))
        .GroupBy(pair => pair.host, StringComparer.Ordinal)
        .Where(claims => claims.Count() == 1)
        .ToFrozenDictionary(claims => claims.Key, claims => claims.Single().tenant, StringComparer.Ordinal);
}
