using System.Collections.Immutable;
using System.Data.Common;
using System.Net;
using Microsoft.Data.Sqlite;
using Postern.Model;
using Postern.Store;

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
            root.Report("PublicOrigin", $"{ConfigNode.Shown(text)} is no origin.", "Write scheme, host and port alone, in lower case, without a slash at the end.");
        else if (!Origins.IsSecure(new Uri(text)))
            root.Report("PublicOrigin", "is plain http on another machine: sessions and codes would travel in the clear.", "Use https.");
        else
            return new Uri(text);
        return otherwise;
    }

    private static readonly string[] ServerKeys = ["Password", "PasswordFile", "AllowUnprotectedServer", "PoolSize", "ConnectTimeout", "CommandTimeout"];

    private static StoreSettings Store(ConfigNode node)
    {
        var provider = node.Choice<StoreProvider>(
            "Provider", StoreProvider.Sqlite, ("sqlite", StoreProvider.Sqlite), ("postgresql", StoreProvider.PostgreSql), ("mysql", StoreProvider.MySql));
        var server = provider != StoreProvider.Sqlite;
        var connection = node.Required("ConnectionString", server
            ? "Write the server, the database and the user; the password into PasswordFile."
            : "Write Data Source=FILE, a path on a local disk.");
        var usable = connection.Length > 0 && (server || CheckConnection(node, connection));
        var defaults = new StoreOptions { Provider = provider, ConnectionString = usable ? connection : "" };
        var options = Server(node, defaults);
        if (!server)
        {
            foreach (var key in ServerKeys.Where(key => node.Optional(key) is not null))
                node.Report(key, "is for a database server.", "Remove it, or choose the Provider postgresql or mysql.");
        }
        node.Close();
        return new(server ? options : defaults);
    }

    // What only a server has. The password is put into the connection string, which nothing shows.
    private static StoreOptions Server(ConfigNode node, StoreOptions defaults)
    {
        var connection = defaults.ConnectionString;
        if (node.Secret("Password", remedy: null) is { } password && connection.Length > 0)
            connection = WithPassword(node, connection, password);
        var options = defaults with
        {
            ConnectionString = connection,
            AllowUnprotectedServer = node.Flag("AllowUnprotectedServer"),
            PoolSize = (int)node.Number("PoolSize", defaults.PoolSize, 2, 1000),
            ConnectTimeout = node.Duration("ConnectTimeout", defaults.ConnectTimeout, TimeSpan.FromSeconds(1), TimeSpan.FromMinutes(1)),
            CommandTimeout = node.Duration("CommandTimeout", defaults.CommandTimeout, TimeSpan.FromSeconds(1), TimeSpan.FromMinutes(5)),
        };
        if (connection.Length == 0 || defaults.Provider == StoreProvider.Sqlite || options.Problem() is not { } problem)
            return options;
        node.Report("ConnectionString", problem, "Write Host (Server with mysql), Database and user, such as Host=db.example;Database=postern;Username=postern.");
        return options with { ConnectionString = "" };
    }

    private static string WithPassword(ConfigNode node, string connection, SecretText password)
    {
        try
        {
            var parts = new DbConnectionStringBuilder { ConnectionString = connection };
            if (parts.ContainsKey("Password") || parts.ContainsKey("Pwd"))
                node.Report("Password", "is set, and ConnectionString holds one too.", "Keep one of them, PasswordFile for preference.");
#pragma warning disable RS0030 // The driver takes the password as text only; it goes there and nowhere else.
            parts["Password"] = password.Reveal();
#pragma warning restore RS0030
            return parts.ConnectionString;
        }
        catch (ArgumentException)
        {
            // Reported as unreadable with the rest.
            return connection;
        }
    }

    // The text may hold a password, so no problem shows it.
    private static bool CheckConnection(ConfigNode node, string connection)
    {
        SqliteConnectionStringBuilder parts;
        try
        {
            parts = new(connection);
        }
        catch (ArgumentException)
        {
            node.Report("ConnectionString", "is not a SQLite connection string.", "Write Data Source=FILE.");
            return false;
        }
        if (parts.DataSource.Length == 0 || parts.DataSource.Contains(":memory:", StringComparison.Ordinal) || parts.Mode == SqliteOpenMode.Memory)
            node.Report("ConnectionString", "names no file: everything would be lost at the end of the process.", "Write Data Source=FILE.");
        else if (parts.DataSource.StartsWith("file:", StringComparison.OrdinalIgnoreCase))
            node.Report("ConnectionString", "names its file as a URI.", "Write Data Source=FILE with a plain path.");
        else if (parts.Mode == SqliteOpenMode.ReadOnly)
            node.Report("ConnectionString", "opens the file for reading only.", "Remove Mode, or write Mode=ReadWriteCreate.");
        else
            return true;
        return false;
    }

    private static KeyStoreSettings KeyStore(ConfigNode node, StoreSettings store)
    {
        node.Choice<bool>("Provider", true, ("file", true));
        var directory = node.Required("Directory", "Name a directory of its own (mode 0700), not the database's.");
        var deployment = node.Required("Deployment", "Name this deployment; the name is bound into every sealed record and must never change.");
        if (deployment.Length > 0 && !Slug.IsValid(deployment))
            node.Report("Deployment", "is no name.", Slug.Remedy("deployment", deployment));
        if (directory.Contains('\0'))
            node.Report("Directory", "is not a path.", "Name a directory of its own (mode 0700), not the database's.");
        else if (directory.Length > 0 && store.File is { } file && IsWithin(directory, Path.GetDirectoryName(file)!))
            node.Report("Directory", "lies in the database's folder: one copy of that folder would open every token.", "Keep keys apart from the database.");
        node.Close();
        return new("file", directory, deployment);
    }

    private static bool IsWithin(string directory, string parent)
    {
        var inner = Path.TrimEndingDirectorySeparator(Path.GetFullPath(directory));
        var outer = Path.TrimEndingDirectorySeparator(parent);
        return inner == outer || inner.StartsWith(outer.Length == 1 ? outer : outer + Path.DirectorySeparatorChar, StringComparison.Ordinal);
    }

    private static NodeSettings Node(ConfigNode node)
    {
        var name = node.Optional("Name") ?? Environment.MachineName;
        if (name.Length > Slug.MaxLength || name.Any(c => !char.IsAsciiLetterOrDigit(c) && c is not ('-' or '_' or '.')))
            node.Report("Name", "is no node name.", $"Use 1 to {Slug.MaxLength} letters, digits, '-', '_' or '.', different for each node of this store.");
        node.Close();
        return new(name);
    }

    private static ImmutableArray<IPNetwork> Proxies(ConfigNode root)
    {
        var networks = Networks.Read(root, "TrustedProxies", "10.0.0.0/24");
        foreach (var everyone in networks.Where(network => network.PrefixLength == 0))
            root.Report("TrustedProxies", $"'{everyone}' is everybody: any client could say who it is.", "Name the proxies' own addresses.");
        return networks;
    }
}
