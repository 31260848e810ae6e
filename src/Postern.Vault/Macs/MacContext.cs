using Postern.Model;

namespace Postern.Vault;

/// <summary>Which row a MAC stands for. Made by one named function per kind of row (<see cref="MacContexts"/>).</summary>
public sealed class MacContext
{
    private MacContext(TenantId tenant, string kind, byte[] encoded)
    {
        Tenant = tenant;
        Kind = kind;
        Encoded = encoded;
    }

    /// <summary>Whose key authenticates the row.</summary>
    public TenantId Tenant { get; }

    /// <summary>The kind of row, such as <c>session</c>.</summary>
    public string Kind { get; }

    internal byte[] Encoded { get; }

    /// <summary>Tenant and kind.</summary>
    public override string ToString() => $"{Tenant}/{Kind}";

    internal static MacContext Of(TenantId tenant, string kind, string table, string row)
    {
        if (tenant.Value.Length == 0)
            throw new ArgumentException("The default tenant id names no tenant.", nameof(tenant));
        ArgumentException.ThrowIfNullOrEmpty(kind);
        ArgumentException.ThrowIfNullOrEmpty(table);
        ArgumentException.ThrowIfNullOrEmpty(row);
        return new(tenant, kind, new CanonicalFields().Add(tenant.Value).Add(kind).Add(table).Add(row).ToArray());
    }
}

/// <summary>
/// One function per kind of row that decides access. The message beside it holds the row's columns as <see cref="CanonicalFields"/>;
/// whoever edits the database without the key changes nothing that anybody believes.
/// </summary>
public static class MacContexts
{
    /// <summary>A session of a person in one browser, by the id that its row is found by (never the cookie itself).</summary>
    public static MacContext Session(TenantId tenant, string session) => MacContext.Of(tenant, "session", "sessions", session);

    /// <summary>The definition of a connection.</summary>
    public static MacContext Connection(TenantId tenant, ConnectionId connection) =>
        MacContext.Of(tenant, "connection", "connections", connection.Value);

    /// <summary>A policy.</summary>
    public static MacContext Policy(TenantId tenant, string policy) => MacContext.Of(tenant, "policy", "policies", policy);

    /// <summary>An embed key of a host application.</summary>
    public static MacContext EmbedKey(TenantId tenant, string key) => MacContext.Of(tenant, "embed-key", "embed_keys", key);

    /// <summary>A row of a program that uses this package alone; its kind gets the prefix <c>x.</c>.</summary>
    public static MacContext Extension(TenantId tenant, string kind, string table, string row)
    {
        ArgumentException.ThrowIfNullOrEmpty(kind);
        return MacContext.Of(tenant, "x." + kind, table, row);
    }
}
