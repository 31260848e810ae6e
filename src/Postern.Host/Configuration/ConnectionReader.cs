using System.Collections.Immutable;
using System.Net;
using Postern.Model;
using Postern.OAuth;

namespace Postern.Host.Configuration;

/// <summary>Reads a connection and says everything that is wrong with it.</summary>
internal static class ConnectionReader
{
    private static readonly string[] Platforms = ["databricks"];

    public static Connection? Read(ConfigNode node, TenantId tenant)
    {
        if (!ConnectionId.TryParse(node.Key, out var id))
            node.Report("", $"'{node.Key}' is no connection name.", Slug.Remedy("connection", node.Key));

        var platform = node.Required("Platform", $"Name the data platform: {string.Join(", ", Platforms)}.");
        if (platform.Length > 0 && !Platforms.Contains(platform))
            node.Report("Platform", $"{ConfigNode.Shown(platform)} is not known here.", $"Choose one of: {string.Join(", ", Platforms)}.");
        var networks = Networks(node, "AllowedNetworks");
        var endpoint = Endpoint(node, networks);
        var identity = node.Choice<IdentityMode>("Identity", null, ("user", IdentityMode.User), ("service", IdentityMode.Service));
        var match = Match(node, identity);
        var freeSql = node.Flag("FreeSql");
        if (freeSql && identity == IdentityMode.Service)
            node.Report("FreeSql", "is on for a service connection, where row policies live in published queries only.", "Turn it off, or use Identity user.");
        var authorization = Authorization(node.Child("Authorization"), identity);
        var execution = Execution(node.Child("Execution"));
        var agreement = Agreement(node.Child("Agreement"));
        var lifetimes = Lifetimes(node.Child("Lifetimes"));
        var displayName = node.Optional("DisplayName") ?? node.Key;
        node.Close();

        return endpoint is null ? null : new Connection(tenant, id, displayName, platform, endpoint, identity, match, authorization, execution)
        {
            FreeSql = freeSql,
            AllowedNetworks = networks,
            Agreement = agreement,
            Lifetimes = lifetimes,
        };
    }

    private static Uri? Endpoint(ConfigNode node, ImmutableArray<IPNetwork> networks)
    {
        var text = node.Required("Endpoint", "Give the platform's base address, such as https://adb-123.azuredatabricks.net.");
        if (text.Length == 0)
            return null;
        if (!Uri.TryCreate(text, UriKind.Absolute, out var endpoint) || endpoint.Scheme is not ("http" or "https") || endpoint.UserInfo.Length > 0 || endpoint.Query.Length > 0)
        {
            node.Report("Endpoint", "is not an absolute address without user name or query.", "Write it as https://host.");
            return null;
        }
        CheckReach(node, "Endpoint", endpoint, networks);
        if (Origins.IsSecure(endpoint))
            return endpoint;
        node.Report("Endpoint", "is plain http to another machine: tokens would travel in the clear.", "Use https.");
        return null;
    }

    private static IdentityMatch Match(ConfigNode node, IdentityMode identity)
    {
        var text = node.Optional("IdentityMatch");
        if (text is not null && identity == IdentityMode.Service)
            node.Report("IdentityMatch", "means nothing on a service connection.", "Remove it: no person consents there.");
        if (text is null or "email")
            return IdentityMatch.Email;
        if (text == "UnsafeAny")
            return IdentityMatch.UnsafeAny;
        if (text.StartsWith("attribute:", StringComparison.Ordinal) && text.Length > "attribute:".Length)
            return new IdentityMatch(text["attribute:".Length..]);
        node.Report("IdentityMatch", $"{ConfigNode.Shown(text)} is not known here.", "Choose email, attribute:NAME, or UnsafeAny (anybody's consent is then stored under anybody).");
        return IdentityMatch.Email;
    }

    /// <summary>Reads a client registration; connections and the portal's sign-in share it.</summary>
    public static AuthorizationSettings Authorization(ConfigNode node, IdentityMode identity)
    {
        var profile = node.Optional("Profile") ?? "generic";
        if (ProviderProfile.Find(profile) is null)
            node.Report("Profile", $"{ConfigNode.Shown(profile)} is not known here.", $"Choose one of: {string.Join(", ", ProviderProfile.All.Select(known => known.Name))}.");

        var loopbackHttp = node.Flag("AllowPlainHttpIssuerOnLoopback");
        var issuer = node.Required("Issuer", "Give the authorization server's issuer exactly as its metadata spells it.");
        if (issuer.Length > 0)
            CheckIssuer(node, issuer, loopbackHttp);
        var networks = Networks(node, "AllowedNetworks");
        if (Uri.TryCreate(issuer, UriKind.Absolute, out var server))
            CheckReach(node, "Issuer", server, networks);

        var clientId = node.Required("ClientId", "Register Postern at the authorization server and give the client id.");
        var authentication = node.Choice<ClientAuthentication>("ClientAuthentication", ClientAuthentication.SecretBasic,
            ("secret-basic", ClientAuthentication.SecretBasic), ("secret-post", ClientAuthentication.SecretPost), ("none", ClientAuthentication.None));
        var secret = node.Secret("ClientSecret", authentication == ClientAuthentication.None
            ? null
            : "Set ClientSecretFile to a file that holds it, or ClientAuthentication to none for a public client.");
        if (authentication == ClientAuthentication.None && secret is not null)
            node.Report("ClientSecret", "is set for a public client (ClientAuthentication none).", "Remove it, or choose secret-basic.");
        if (authentication == ClientAuthentication.None && identity == IdentityMode.Service)
            node.Report("ClientAuthentication", "is none, but client credentials need a confidential client (RFC 6749 section 4.4).", "Choose secret-basic.");

        var scopes = node.List("Scopes");
        if (scopes.IsEmpty)
            node.Report("Scopes", "is empty.", "List what to ask for, such as sql offline_access.");
        if (identity == IdentityMode.Service && scopes.Contains("offline_access"))
            node.Report("Scopes", "asks for offline_access on a service connection, which has no refresh token (RFC 6749 section 4.4.3).", "Remove that scope.");
        var par = node.Choice<ParUse>("Par", ParUse.WhenOffered, ("when-offered", ParUse.WhenOffered), ("required", ParUse.Required), ("never", ParUse.Never));
        node.Close();
        return new(profile, issuer, clientId, secret, authentication, scopes, par)
        {
            AllowPlainHttpIssuerOnLoopback = loopbackHttp,
            AllowedNetworks = networks,
        };
    }

    private static void CheckIssuer(ConfigNode node, string issuer, bool loopbackHttp)
    {
        if (!Uri.TryCreate(issuer, UriKind.Absolute, out var uri) || uri.Query.Length > 0 || uri.Fragment.Length > 0 || uri.UserInfo.Length > 0)
            node.Report("Issuer", "is not an absolute address without query and fragment (RFC 8414 section 2).", "Copy the value of \"issuer\" from the server's metadata.");
        else if (uri.Scheme == Uri.UriSchemeHttp && !(loopbackHttp && Origins.IsLoopback(uri)))
            node.Report("Issuer", "is plain http.", "Use https. A sandbox on this machine may be allowed with AllowPlainHttpIssuerOnLoopback.");
        else if (uri.Scheme is not ("http" or "https"))
            node.Report("Issuer", "is neither https nor http.", "Copy the value of \"issuer\" from the server's metadata.");
    }

    private static ImmutableArray<IPNetwork> Networks(ConfigNode node, string key)
    {
        var networks = Configuration.Networks.Read(node, key, "10.20.0.0/16");
        foreach (var other in networks.Where(network => !OutboundAddresses.MayBeAllowed(network)))
        {
            node.Report(key, $"'{other}' is no private network that may be opened: public addresses need no permission, and this machine's own and cloud metadata addresses get none.",
                "Name the part of 10.0.0.0/8, 172.16.0.0/12, 192.168.0.0/16, 100.64.0.0/10 or fc00::/7 that the server is in.");
        }
        return networks;
    }

    // A name is judged when it is resolved, at every connect; an address can be judged here already. Loopback has rules of its own.
    private static void CheckReach(ConfigNode node, string key, Uri address, ImmutableArray<IPNetwork> networks)
    {
        if (IPAddress.TryParse(address.Host.Trim('[', ']'), out var literal) && !IPAddress.IsLoopback(literal) && !OutboundAddresses.Permits(literal, networks))
            node.Report(key, $"{ConfigNode.Shown(address.Host)} is an address that this gateway may not connect to.", "Use the server's public name, or name its private network in AllowedNetworks beside it.");
    }

    private static ExecutionSettings Execution(ConfigNode node)
    {
        var warehouse = node.Required("WarehouseId", "Give the id of the SQL warehouse that runs the statements.");
        var settings = new ExecutionSettings(
            warehouse,
            node.Optional("Catalog"),
            node.Optional("Schema"),
            (int)node.Number("MaxConcurrency", 8, 1, 1_000),
            node.Number("MaxRows", 1_000_000, 1, 100_000_000));
        node.Close();
        return settings;
    }

    private static Agreement? Agreement(ConfigNode node)
    {
        if (!node.Exists)
            return null;
        var agreement = new Agreement(
            node.Required("Version", "Name the version of the agreement; people accept it by this name."),
            node.Required("Text", "Write the text that people accept."));
        node.Close();
        return agreement;
    }

    private static Lifetimes Lifetimes(ConfigNode node)
    {
        var defaults = new Lifetimes();
        var (second, day) = (TimeSpan.FromSeconds(1), TimeSpan.FromDays(1));
        var lifetimes = new Lifetimes
        {
            AssumedAccessToken = node.Duration("AssumedAccessToken", defaults.AssumedAccessToken, second, day),
            RenewBeforeLatest = node.Duration("RenewBeforeLatest", defaults.RenewBeforeLatest, second, day),
            RenewBeforeEarliest = node.Duration("RenewBeforeEarliest", defaults.RenewBeforeEarliest, second, day),
            KeepFreshAfterUse = node.Duration("KeepFreshAfterUse", defaults.KeepFreshAfterUse, TimeSpan.Zero, TimeSpan.FromDays(90)),
            Unconfirmed = node.Duration("Unconfirmed", defaults.Unconfirmed, second, TimeSpan.FromHours(1)),
        };
        if (lifetimes.RenewBeforeEarliest < lifetimes.RenewBeforeLatest)
            node.Report("RenewBeforeEarliest", "is shorter than RenewBeforeLatest.", "Renewal is spread between the two: the earliest leaves more time.");
        node.Close();
        return lifetimes;
    }
}
