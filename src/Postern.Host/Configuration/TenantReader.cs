using System.Collections.Immutable;
using System.Security.Cryptography;
using System.Text;
using Postern.Model;
using Postern.Policy;

namespace Postern.Host.Configuration;

/// <summary>Reads a tenant with everything it owns, and says everything that is wrong with it.</summary>
internal static class TenantReader
{
    public static TenantDefinition? Read(ConfigNode node, Uri publicOrigin)
    {
        if (!TenantId.TryParse(node.Key, out var id))
            node.Report("", $"'{node.Key}' is no tenant name.", Slug.Remedy("tenant", node.Key));
        else if (node.Key == "postern")
            node.Report("", "is the name of Postern's own log.", "Choose another name.");

        var displayName = node.Optional("DisplayName") ?? node.Key;
        var hosts = Hosts(node);
        var embedOrigins = EmbedOrigins(node, publicOrigin);
        var signIn = SignIn(node.Child("SignIn"));
        var connections = Connections(node, id);
        var policies = PolicyReader.Read(node);
        var workbooks = Workbooks(node);
        var keys = node.Children("EmbedKeys").Select(child => EmbedKey(child, id, embedOrigins)).OfType<EmbedKey>().ToImmutableArray();
        foreach (var repeated in keys.GroupBy(key => key.Id).Where(group => group.Count() > 1))
            node.Report("EmbedKeys", $"names the key '{repeated.Key}' twice.", "Give each embed key its own Id.");
        if (connections.Any(connection => connection.Identity == IdentityMode.Service) && policies.IsEmpty)
        {
            node.Report("Policies", "is empty, but a connection has Identity service: every viewer would see every row (R4).",
                "Add a policy for the tables it reads, or use Identity user.");
        }
        node.Close();

        return signIn is null ? null : new TenantDefinition(
            new Tenant(id, displayName, hosts, embedOrigins, signIn, [.. connections.Select(connection => connection.Id)]),
            connections, keys, policies, workbooks);
    }

    private static ImmutableArray<string> Hosts(ConfigNode node)
    {
        var hosts = node.List("Hosts");
        if (hosts.IsEmpty)
            node.Report("Hosts", "is empty: a tenant is known by the host name of the request alone.", "List its host names, such as analytics.customer.example.");
        foreach (var host in hosts)
        {
            if (Uri.CheckHostName(host) == UriHostNameType.Unknown || host.Any(char.IsAsciiLetterUpper))
                node.Report("Hosts", $"{ConfigNode.Shown(host)} is no host name in lower case without scheme and port.", "Write it as a browser sends it, such as analytics.customer.example.");
        }
        return hosts;
    }

    private static ImmutableArray<string> EmbedOrigins(ConfigNode node, Uri publicOrigin)
    {
        var origins = node.List("EmbedOrigins");
        foreach (var origin in origins)
        {
            if (!Origins.IsOrigin(origin))
                node.Report("EmbedOrigins", $"{ConfigNode.Shown(origin)} is no origin.", "Write scheme, host and port alone, in lower case, such as https://portal.example.");
            else if (!Origins.IsSecure(new Uri(origin)))
                node.Report("EmbedOrigins", $"'{origin}' is plain http on another machine.", "Use https: whoever can change that page can speak to the frame.");
            else if (origin == publicOrigin.GetLeftPart(UriPartial.Authority))
                node.Report("EmbedOrigins", $"'{origin}' is Postern's own origin.", "Serve host applications from an origin of their own.");
        }
        return origins;
    }

    private static SignInSettings? SignIn(ConfigNode node)
    {
        if (!node.Exists)
        {
            node.Report("", "is missing.", "Say how people sign in to the portal: Issuer, ClientId, ClientSecretFile, Scopes.");
            return null;
        }
        var attributes = node.List("Attributes");
        var client = ConnectionReader.Authorization(node, IdentityMode.User);
        if (!client.Scopes.Contains("openid"))
            node.Report("Scopes", "lacks openid, without which there is no ID token (OIDC Core section 3.1.2.1).", "Add openid.");
        return new(client, attributes.IsEmpty ? ["email", "name"] : attributes);
    }

    private static ImmutableArray<Connection> Connections(ConfigNode node, TenantId tenant)
    {
        if (!node.Child("Connections").Exists)
            node.Report("Connections", "is missing.", "Describe at least one data platform.");
        return [.. node.Children("Connections").Select(child => ConnectionReader.Read(child, tenant)).OfType<Connection>()];
    }

    private static ImmutableArray<string> Workbooks(ConfigNode node)
    {
        var files = ImmutableArray.CreateBuilder<string>();
        foreach (var path in node.List("Workbooks"))
        {
            if (Directory.Exists(path))
                files.AddRange(Directory.EnumerateFiles(path, "*.workbook.yaml").Order(StringComparer.Ordinal));
            else if (File.Exists(path))
                files.Add(path);
            else
                node.Report("Workbooks", $"{ConfigNode.Shown(path)} is neither a file nor a folder.", "Name *.workbook.yaml files, or folders that hold them.");
        }
        return files.ToImmutable();
    }

    private static EmbedKey? EmbedKey(ConfigNode node, TenantId tenant, ImmutableArray<string> embedOrigins)
    {
        var id = node.Required("Id", "Name the key; host applications send it as the user name of HTTP Basic.");
        if (id.Length > 0 && !Slug.IsValid(id))
            node.Report("Id", $"'{id}' is no key name.", Slug.Remedy("key", id));
        var secret = node.Secret("Secret", "Set SecretFile to a file that holds at least 24 characters of chance (openssl rand -base64 32).");
        var hash = secret is null ? [] : EmbedKeySecrets.Hash(node, secret);
        var workbooks = node.List("Workbooks");
        if (workbooks.IsEmpty)
            node.Report("Workbooks", "is empty: the key could open nothing.", "List the workbooks it may open.");
        foreach (var workbook in workbooks)
        {
            if (!WorkbookId.TryParse(workbook, out _))
                node.Report("Workbooks", $"'{workbook}' is no workbook name.", Slug.Remedy("workbook", workbook));
        }
        var origins = node.List("Origins");
        foreach (var origin in origins.Except(embedOrigins))
            node.Report("Origins", $"{ConfigNode.Shown(origin)} is not among the tenant's EmbedOrigins.", "Add it there, or remove it here.");
        if (origins.IsEmpty)
            node.Report("Origins", "is empty: the key could speak for no page.", "List the origins it may name, each also in EmbedOrigins.");
        var attributes = node.List("Attributes");
        var displayName = node.Optional("DisplayName") ?? id;
        node.Close();
        return new EmbedKey(tenant, id, displayName, [.. hash], [.. workbooks.Where(Slug.IsValid).Select(WorkbookId.Parse)], attributes, origins);
    }
}

/// <summary>Embed key secrets are kept as their SHA-256: they are long and random, so a slow hash would only slow the host down.</summary>
internal static class EmbedKeySecrets
{
    private static readonly string[] Placeholders = ["changeme", "change-me", "secret", "password", "todo", "example"];

    public static byte[] Hash(ConfigNode node, SecretText secret)
    {
        // The composition root reads secrets from configuration to hand them on; it is the one place that must see this one.
#pragma warning disable RS0030
        var text = secret.Reveal();
#pragma warning restore RS0030
        if (text.Length < Model.EmbedKey.MinSecretLength || Placeholders.Any(word => text.StartsWith(word, StringComparison.OrdinalIgnoreCase)))
            node.Report("Secret", $"is shorter than {Model.EmbedKey.MinSecretLength} characters or a placeholder.", "Make one with: openssl rand -base64 32");
        return SHA256.HashData(Encoding.UTF8.GetBytes(text));
    }
}
