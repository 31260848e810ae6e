using System.Net.Http.Headers;
using Postern.Model;

namespace Postern.OAuth;

/// <summary>Authorization server metadata by issuer (RFC 8414, OpenID Connect Discovery), cached with limits.</summary>
public sealed class MetadataSource
{
    private readonly Wire wire;
    private readonly OAuthOptions options;
    private readonly DocumentCache<ServerMetadata> cache;

    internal MetadataSource(Wire wire, TimeProvider time, OAuthOptions options)
    {
        this.wire = wire;
        this.options = options;
        cache = new(time, options);
    }

    internal int Remembered => cache.Count;

    /// <summary>
    /// The metadata of the connection's issuer. Refusals: <c>issuer-invalid</c> (configuration), <c>issuer-mismatch</c> and
    /// <c>metadata-malformed</c> (must not be believed), <c>metadata-not-found</c>, <c>metadata-unavailable</c> and
    /// <c>address-refused</c> (nothing was learnt; an older good copy is used for up to
    /// <see cref="OAuthOptions.DocumentStaleness"/>).
    /// </summary>
    public async Task<Outcome<ServerMetadata>> GetAsync(AuthorizationSettings settings, CancellationToken cancellation)
    {
        if (!Endpoints.TryIssuer(settings, out var issuer))
        {
            return new Refusal(RefusalKind.InvalidRequest,
                "The connection's issuer must be an https address without query and fragment; http is for loopback sandboxes alone.")
            {
                Code = "issuer-invalid",
            };
        }
        var reach = OutboundReach.Of(settings);
        return await cache.GetAsync(
            $"{reach}|{settings.Issuer}", c => FetchAsync(issuer, settings, reach, c), refetch: false, cancellation);
    }

    /// <summary>
    /// Whether the server answers at this moment: its metadata is asked for past the cache, which costs nobody anything. Null when it
    /// does, else the refusal <c>metadata-unavailable</c>.
    /// </summary>
    public async Task<Refusal?> SilenceAsync(AuthorizationSettings settings, CancellationToken cancellation)
    {
        if (!Endpoints.TryIssuer(settings, out var issuer))
            return null;
        var asked = await FetchAsync(issuer, settings, OutboundReach.Of(settings), cancellation);
        return asked.Refusal is { Code: "metadata-unavailable" } silence ? silence : null;
    }

    private async Task<Outcome<ServerMetadata>> FetchAsync(
        Uri issuer, AuthorizationSettings settings, OutboundReach reach, CancellationToken cancellation)
    {
        Refusal? why = null;
        foreach (var place in MetadataReader.Places(issuer))
        {
            var (answer, failure) = await wire.GetJsonAsync(place, reach, options.MaxDocumentBytes, "metadata", cancellation);
            if (answer is null)
            {
                // A place without a document says little; a document that must not be believed says more, so it is what we report.
                why = Telling(why, failure!);
                if (failure!.Code is "metadata-not-found")
                    continue;
                return why;
            }
            using (answer)
            {
                var outcome = MetadataReader.Read(answer.Body, settings);
                if (outcome.Refusal is null)
                    return outcome;
                why = Telling(why, outcome.Refusal);
            }
        }
        return why!;
    }

    private static Refusal Telling(Refusal? before, Refusal now) => before is { Kind: RefusalKind.Untrusted } ? before : now;
}

/// <summary>Fetching of public JSON documents: metadata and key sets.</summary>
internal static class JsonDocuments
{
    private static readonly MediaTypeWithQualityHeaderValue Json = new("application/json");

    /// <summary>A 200 with JSON, or a refusal whose code begins with <paramref name="what"/>.</summary>
    public static async Task<(WireAnswer? Answer, Refusal? Failure)> GetJsonAsync(
        this Wire wire, Uri place, OutboundReach reach, int maxBytes, string what, CancellationToken cancellation)
    {
        using var request = new HttpRequestMessage(HttpMethod.Get, place);
        request.Headers.Accept.Add(Json);
        var outcome = await wire.SendAsync(request, reach, maxBytes, cancellation);
        if (outcome.Answer is not { } answer)
            return (null, Failed(outcome.Why));
        if (answer is { Status: 200, IsJson: true })
            return (answer, null);
        using (answer)
        {
            return (null, answer.Status is 200 or (>= 300 and < 500 and not 429)
                ? No("not-found", $"The authorization server has no {what} document where it should be.")
                : No("unavailable", $"The authorization server does not give its {what} document at the moment.") with { RetryAfter = answer.RetryAfter });
        }

        Refusal Failed(UnavailableKind kind) => kind switch
        {
            UnavailableKind.AddressRefused =>
                No("", "The authorization server's address is not one that this gateway may connect to.") with { Code = "address-refused" },
            UnavailableKind.TooLarge =>
                No("too-large", $"The authorization server's {what} document is larger than any real one.") with { Kind = RefusalKind.Untrusted },
            _ => No("unavailable", "The authorization server does not answer."),
        };

        Refusal No(string code, string detail) => new(RefusalKind.AuthorizationServerUnavailable, detail) { Code = $"{what}-{code}" };
    }
}
