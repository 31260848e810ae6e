using System.Text.Json;
using System.Text.Json.Serialization;

namespace Postern.Sandbox;

/// <summary>A client registration at one issuer.</summary>
public sealed record SandboxClient
{
    /// <summary>The id of the issuer: <c>workspace</c>, <c>generic</c> or <c>corp</c>.</summary>
    public required string Issuer { get; init; }

    /// <summary>The <c>client_id</c>.</summary>
    public required string Id { get; init; }

    /// <summary>The name people see when they are asked for consent; the id when absent.</summary>
    public string? Name { get; init; }

    /// <summary>The secret; a client with neither secret nor <see cref="Jwks"/> is public.</summary>
    public string? Secret { get; init; }

    /// <summary>The public keys of a client that authenticates by <c>private_key_jwt</c> (RFC 7523).</summary>
    public JsonElement? Jwks { get; init; }

    /// <summary>The exact redirect URIs.</summary>
    public IReadOnlyList<string> RedirectUris { get; init; } = [];

    /// <summary>Where the logout endpoint may send people back to.</summary>
    public IReadOnlyList<string> PostLogoutRedirectUris { get; init; } = [];

    /// <summary>The scopes the client may ask for; all of the issuer's when empty.</summary>
    public IReadOnlyList<string> Scopes { get; init; } = [];

    /// <summary>Whether the client acts for itself (client credentials) instead of for people.</summary>
    public bool Service { get; init; }

    /// <summary>Names the client and nothing secret.</summary>
    public override string ToString() => $"{Issuer}/{Id}";
}

/// <summary>Users and clients added to those of <see cref="Demo"/>, usually read from the file named by <c>--config</c>.</summary>
public sealed record SandboxAdditions
{
    private static readonly JsonSerializerOptions Json = new(JsonSerializerDefaults.Web)
    {
        UnmappedMemberHandling = JsonUnmappedMemberHandling.Disallow,
        ReadCommentHandling = JsonCommentHandling.Skip,
        AllowTrailingCommas = true,
    };

    /// <summary>People; one with the id of a demo person replaces that person.</summary>
    public IReadOnlyList<DemoUser> Users { get; init; } = [];

    /// <summary>Clients; one with the issuer and id of a demo client adds its redirect URIs to that client.</summary>
    public IReadOnlyList<SandboxClient> Clients { get; init; } = [];

    /// <summary>The ids of issuers that neither announce nor send <c>iss</c> (RFC 9207), as many real ones do not.</summary>
    public IReadOnlyList<string> WithoutIss { get; init; } = [];

    /// <summary>
    /// A file that gets every token, code and verifier of the back channels, a line each: what a search for leaks looks for elsewhere.
    /// Nothing is written without it.
    /// </summary>
    public string? SecretsFile { get; init; }

    /// <summary>Reads additions from JSON.</summary>
    /// <exception cref="JsonException">The text is not JSON of this shape; unknown members are refused.</exception>
    public static SandboxAdditions Parse(string json) =>
        JsonSerializer.Deserialize<SandboxAdditions>(json, Json) ?? new SandboxAdditions();

    /// <summary>The demo people together with the added ones.</summary>
    internal IReadOnlyList<DemoUser> AllUsers() =>
        [.. Demo.Users.Where(user => Users.All(added => added.Id != user.Id)), .. Users];

    /// <summary>The demo clients together with the added ones.</summary>
    internal IReadOnlyList<SandboxClient> AllClients() =>
        [.. Demo.Clients.Concat(Clients).GroupBy(client => (client.Issuer, client.Id)).Select(group => group.Aggregate(Merge))];

    private static SandboxClient Merge(SandboxClient known, SandboxClient added) => known with
    {
        RedirectUris = [.. known.RedirectUris.Union(added.RedirectUris, StringComparer.Ordinal)],
        PostLogoutRedirectUris = [.. known.PostLogoutRedirectUris.Union(added.PostLogoutRedirectUris, StringComparer.Ordinal)],
    };
}
