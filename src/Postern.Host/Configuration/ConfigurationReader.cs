using System.Collections.Immutable;
using System.Net;

namespace Postern.Host.Configuration;

/// <summary>What reading a configuration gave: settings, or everything that is wrong with it.</summary>
public sealed record ConfigurationResult(PosternSettings? Settings, ImmutableArray<ConfigProblem> Problems);

/// <summary>
/// Reads section <c>Postern</c>. Unknown keys, missing values and contradictions are all reported, each with its path and the
/// remedy; nothing starts while there is one.
/// </summary>
public static class ConfigurationReader
{
    /// <summary>Reads and judges.</summary>
    public static ConfigurationResult Read(IConfiguration configuration)
    {
        var problems = new List<ConfigProblem>();
        var root = new ConfigNode(configuration.GetSection("Postern"), problems);
        if (!root.Exists)
        {
            root.Report("", "is missing.", "Write a section Postern; docs/reference/configuration.md has its shape.");
            return new(null, [.. problems]);
        }

        var publicOrigin = PublicOrigin(root);
        var store = Store(root.Child("Store"));
        var keyStore = KeyStore(root.Child("KeyStore"), store);
        var nodeSettings = Node(root.Child("Node"));
        var proxies = Proxies(root);
        var tenants = root.Children("Tenants").Select(child => TenantReader.Read(child, publicOrigin)).OfType<TenantDefinition>().ToImmutableArray();
        if (!root.Child("Tenants").Exists)
            root.Report("Tenants", "is missing.", "Describe at least one tenant: its Hosts, SignIn and Connections.");
        foreach (var twice in tenants.SelectMany(tenant => tenant.Tenant.Hosts).GroupBy(host => host).Where(group => group.Count() > 1))
            root.Report("Tenants", $"give the host '{twice.Key}' to two tenants.", "Each host name belongs to one tenant.");
        root.Close();

        return problems.Count > 0
            ? new(null, [.. problems])
            : new(new PosternSettings(publicOrigin, store, keyStore, nodeSettings, proxies, tenants), []);
    }

    private static Uri PublicOrigin(ConfigNode root)
    {
        var otherwise = new Uri("http://localhost");
        var text = root.Required("PublicOrigin", "Give the origin that browsers use, such as https://analytics.example.");
        if (text.Length == 0)
            return otherwise;
        if (!Origins.IsOrigin(text))
            root.Report("PublicOrigin", $"'{text}' is no origin.", "Write scheme, host and port alone, in lower case, without a slash at the end.");
        else if (!Origins.IsSecure(new Uri(text)))
            root.Report("PublicOrigin", "is plain http on another machine: sessions and codes would travel in the clear.", "Use https.");
        else
            return new Uri(text);
        return otherwise;
    }

    private static StoreSettings Store(ConfigNode node)
    {
        var provider = node.Optional("Provider") ?? "sqlite";
        if (provider != "sqlite")
            node.Report("Provider", $"'{provider}' is not known here.", "Choose sqlite.");
        var connection = node.Required("ConnectionString", "Write Data Source=FILE, a path on a local disk.");
        if (connection.Length > 0 && provider == "sqlite")
        {
            try
            {
                var source = new Microsoft.Data.Sqlite.SqliteConnectionStringBuilder(connection).DataSource;
                if (source.Length == 0 || source.Contains(":memory:", StringComparison.Ordinal))
                    node.Report("ConnectionString", "names no file: everything would be lost at the end of the process.", "Write Data Source=FILE.");
            }
            catch (ArgumentException)
            {
                node.Report("ConnectionString", "is not a SQLite connection string.", "Write Data Source=FILE.");
            }
        }
        node.Close();
        return new(provider, connection);
    }

    private static KeyStoreSettings KeyStore(ConfigNode node, StoreSettings store)
    {
        var provider = node.Optional("Provider") ?? "file";
        if (provider != "file")
            node.Report("Provider", $"'{provider}' is not known here.", "Choose file.");
        var directory = node.Required("Directory", "Name a directory of its own (mode 0700), not the database's.");
        var deployment = node.Required("Deployment", "Name this deployment; the name is bound into every sealed record and must never change.");
        if (directory.Length > 0 && store.ConnectionString.Length > 0 && IsWithin(Path.GetFullPath(directory), Path.GetDirectoryName(SafeFile(store))))
            node.Report("Directory", "lies in the database's folder: one copy of that folder would open every token.", "Keep keys apart from the database.");
        node.Close();
        return new(provider, directory, deployment);
    }

    private static string SafeFile(StoreSettings store)
    {
        try
        {
            return store.File;
        }
        catch (ArgumentException)
        {
            return Path.GetFullPath("postern.db");
        }
    }

    private static bool IsWithin(string directory, string? parent) =>
        parent is not null && (directory + Path.DirectorySeparatorChar).StartsWith(parent + Path.DirectorySeparatorChar, StringComparison.Ordinal);

    private static NodeSettings Node(ConfigNode node)
    {
        var settings = new NodeSettings(node.Optional("Name") ?? Environment.MachineName);
        node.Close();
        return settings;
    }

    private static ImmutableArray<IPNetwork> Proxies(ConfigNode root)
    {
        var networks = ImmutableArray.CreateBuilder<IPNetwork>();
        foreach (var text in root.List("TrustedProxies"))
        {
            if (IPNetwork.TryParse(text, out var network) || IPAddress.TryParse(text, out var address) && TryHost(address, out network))
                networks.Add(network);
            else
                root.Report("TrustedProxies", $"'{text}' is no address or network.", "Write 10.0.0.5 or 10.0.0.0/24.");
        }
        return networks.ToImmutable();
    }

    private static bool TryHost(IPAddress address, out IPNetwork network)
    {
        network = new IPNetwork(address, address.GetAddressBytes().Length * 8);
        return true;
    }
}
