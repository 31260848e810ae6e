using Postern.Model;

namespace Postern.Vault;

/// <summary>
/// What a record is and where it belongs: everything that must be the same when it is opened. It is made by one named function
/// per kind of record (<see cref="RecordContexts"/>), so that no caller can leave a field out. The vault adds the deployment,
/// the suite and the key version. Holds no secret.
/// </summary>
public sealed class RecordContext
{
    private RecordContext(TenantId tenant, string kind, byte[] encoded)
    {
        Tenant = tenant;
        Kind = kind;
        Encoded = encoded;
    }

    /// <summary>Whose key seals the record.</summary>
    public TenantId Tenant { get; }

    /// <summary>The kind of record, such as <c>token.refresh</c>.</summary>
    public string Kind { get; }

    /// <summary>The context's own fields in canonical form; <see cref="AssociatedData"/> puts the vault's before them.</summary>
    internal byte[] Encoded { get; }

    /// <summary>Tenant and kind; the rest are ids of people and rows that a log does not need.</summary>
    public override string ToString() => $"{Tenant}/{Kind}";

    internal static RecordContext Of(
        TenantId tenant, string kind, string table, string row, string? authority, string? subject, ConnectionId? connection,
        long? generation, ReadOnlySpan<byte> connectionDigest)
    {
        if (tenant.Value.Length == 0)
            throw new ArgumentException("The default tenant id names no tenant.", nameof(tenant));
        if (connection is { Value.Length: 0 })
            throw new ArgumentException("The default connection id names no connection.", nameof(connection));
        ArgumentException.ThrowIfNullOrEmpty(kind);
        ArgumentException.ThrowIfNullOrEmpty(table);
        ArgumentException.ThrowIfNullOrEmpty(row);

        var fields = new CanonicalFields().Add(tenant.Value).Add(kind).Add(table).Add(row)
            .Add(authority).Add(subject).Add(connection?.Value).Add(generation);
        _ = connectionDigest.IsEmpty ? fields.Add((string?)null) : fields.Add(connectionDigest);
        return new(tenant, kind, fields.ToArray());
    }
}
