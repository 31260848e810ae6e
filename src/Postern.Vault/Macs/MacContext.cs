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

    /// <summary>A grant: that it counts, for whom, and in which generation.</summary>
    public static MacContext Grant(TenantId tenant, GrantId grant) => MacContext.Of(tenant, "grant", "grants", grant.ToString());

    /// <summary>A connect under way, by its row's id.</summary>
    public static MacContext PendingConnect(TenantId tenant, Guid connect) => MacContext.Of(tenant, "pending-connect", "pending_connects", connect.ToString("D"));

    /// <summary>A code for one frame, by the hash that its row is found by (never the code itself).</summary>
    public static MacContext EmbedCode(TenantId tenant, string code) => MacContext.Of(tenant, "embed-code", "embed_codes", code);

    /// <summary>A definition, by kind and name, such as <c>connection/lakehouse</c>.</summary>
    public static MacContext Definition(TenantId tenant, string definition) => MacContext.Of(tenant, "definition", "definitions", definition);

    /// <summary>A row of a program that uses this package alone; its kind gets the prefix <c>x.</c>.</summary>
    public static MacContext Extension(TenantId tenant, string kind, string table, string row)
    {
        ArgumentException.ThrowIfNullOrEmpty(kind);
        return MacContext.Of(tenant, "x." + kind, table, row);
    }
}
