using System.Collections.Immutable;
using System.Net;
using Postern.Model;
using Postern.Policy;
using Postern.Store;
using Postern.Vault;

namespace Postern.Host.Configuration;

/// <summary>The configuration, read and judged. Tenants and connections seed rows of the store; the rest is this node's own.</summary>
public sealed record PosternSettings(
    Uri PublicOrigin,
    StoreSettings Store,
    KeyStoreSettings KeyStore,
    NodeSettings Node,
    ImmutableArray<IPNetwork> TrustedProxies,
    ImmutableArray<TenantDefinition> Tenants);

/// <summary>Where truth is kept.</summary>
/// <param name="Options">Which database, and how it is reached.</param>
public sealed record StoreSettings(StoreOptions Options)
{
    /// <summary>The database file of SQLite, absolute; null for a server, and where the connection string is unusable.</summary>
    public string? File => Options is { Provider: StoreProvider.Sqlite, ConnectionString.Length: > 0 }
        ? Path.GetFullPath(new Microsoft.Data.Sqlite.SqliteConnectionStringBuilder(Options.ConnectionString).DataSource)
        : null;

    /// <summary>How a message names it.</summary>
    public string Name => File ?? Options.Provider.ToString();

    /// <summary>Makes the folder of SQLite's database file where it is missing.</summary>
    /// <exception cref="IOException">It cannot be made; the message names it.</exception>
    public void MakeFolder()
    {
        if (File is null)
            return;
        var folder = Path.GetDirectoryName(File)!;
        try
        {
            Directory.CreateDirectory(folder);
        }
        catch (Exception refused) when (refused is IOException or UnauthorizedAccessException)
        {
            throw new IOException($"The store's folder {folder} cannot be made: {refused.Message} Check Store:ConnectionString and the permissions of the folder above.", refused);
        }
    }

    /// <summary>Without the connection string, which may hold a password.</summary>
    public override string ToString() => $"StoreSettings {{ Provider = {Options.Provider} }}";
}

/// <summary>Where the root key is kept: never beside the database.</summary>
/// <param name="Deployment">The deployment's name, part of every record's associated data; changing it makes every record unreadable.</param>
/// <param name="File">The file keyring; null with a service.</param>
/// <param name="Remote">The service; null with the file keyring.</param>
/// <param name="Former">The one that was used before, while it still unwraps; null: none.</param>
public sealed record KeyStoreSettings(string Deployment, FileKeyringOptions? File, RemoteKeyStoreOptions? Remote, FormerKeyStoreOptions? Former);

/// <summary>This process among its equals.</summary>
/// <param name="Name">Its name in claims and events; default the machine's name.</param>
/// <param name="SpoolDirectory">Where renewed pairs wait sealed while the store takes no writes; null: in memory alone.</param>
/// <param name="OtlpEndpoint">Where metrics are sent by OTLP over HTTP; null: nowhere.</param>
public sealed record NodeSettings(string Name, string? SpoolDirectory = null, Uri? OtlpEndpoint = null);

/// <summary>A tenant as configuration describes it.</summary>
public sealed record TenantDefinition(
    Tenant Tenant,
    ImmutableArray<Connection> Connections,
    ImmutableArray<EmbedKey> EmbedKeys,
    ImmutableArray<TablePolicy> Policies,
    ImmutableArray<string> WorkbookFiles);
