using System.Collections.Immutable;
using System.Net;
using Postern.Model;

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
        var store = StoreReader.Read(root.Child("Store"));
        var keyStore = KeyStoreReader.Read(root.Child("KeyStore"), store);
        var nodeSettings = Node(root.Child("Node"), keyStore);
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

    private static NodeSettings Node(ConfigNode node, KeyStoreSettings keyStore)
    {
        var name = node.Optional("Name") ?? Environment.MachineName;
        if (name.Length > Slug.MaxLength || name.Any(c => !char.IsAsciiLetterOrDigit(c) && c is not ('-' or '_' or '.')))
            node.Report("Name", "is no node name.", $"Use 1 to {Slug.MaxLength} letters, digits, '-', '_' or '.', different for each node of this store.");
        var spool = node.Optional("SpoolDirectory");
        if (spool is not null && spool.Contains('\0'))
            node.Report("SpoolDirectory", "is not a path.", "Name a directory of this node alone (mode 0700), on a volume that outlives the process.");
        else if (spool is not null && keyStore.File?.Directory is { Length: > 0 } keys && !keys.Contains('\0')
            && (KeyStoreReader.IsWithin(spool, Path.GetFullPath(keys)) || KeyStoreReader.IsWithin(keys, Path.GetFullPath(spool))))
            node.Report("SpoolDirectory", "shares its folder with the keys: one copy would open what lies in it.", "Keep keys apart from sealed records.");
        var text = node.Optional("OtlpEndpoint");
        if (text is not null && !(Uri.TryCreate(text, UriKind.Absolute, out var collector) && collector.Scheme is ("http" or "https") && collector.UserInfo.Length == 0))
            node.Report("OtlpEndpoint", $"{ConfigNode.Shown(text)} is not an absolute http or https address without user name.", "Write the collector's address for metrics, such as http://127.0.0.1:4318/v1/metrics.");
        node.Close();
        return new(name, spool, text is not null && Uri.TryCreate(text, UriKind.Absolute, out var endpoint) ? endpoint : null);
    }

    private static ImmutableArray<IPNetwork> Proxies(ConfigNode root)
    {
        var networks = Networks.Read(root, "TrustedProxies", "10.0.0.0/24");
        foreach (var everyone in networks.Where(network => network.PrefixLength == 0))
            root.Report("TrustedProxies", $"'{everyone}' is everybody: any client could say who it is.", "Name the proxies' own addresses.");
        return networks;
    }
}
