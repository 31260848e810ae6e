using System.Collections.Immutable;
using Postern.Model;

namespace Postern.OAuth;

/// <summary>The judgement of a metadata document, without any sending.</summary>
internal static class MetadataReader
{
    /// <summary>
    /// The places a document may be at, in order: RFC 8414 section 3.1 for both names, OpenID Connect Discovery section 4, and the
    /// OAuth name appended, as Databricks has it.
    /// </summary>
    public static ImmutableArray<Uri> Places(Uri issuer)
    {
        var path = issuer.AbsolutePath.TrimEnd('/');
        var origin = issuer.GetLeftPart(UriPartial.Authority);
        const string oauth = "/.well-known/oauth-authorization-server", openid = "/.well-known/openid-configuration";
        return path.Length == 0
            ? [new(origin + oauth), new(origin + openid)]
            : [new(origin + oauth + path), new(origin + openid + path), new(origin + path + openid), new(origin + path + oauth)];
    }

    /// <summary>Reads and checks a document; the issuer must be the configured one byte for byte (RFC 8414 section 3.3).</summary>
    public static Outcome<ServerMetadata> Read(ReadOnlyMemory<byte> utf8, AuthorizationSettings settings)
    {
        if (!StrictJson.TryParse(utf8, out var document))
            return Malformed("it is not one JSON object");
        using (document)
        {
            var root = document.RootElement;
            if (!root.TryText("issuer", out var issuer) || issuer is null)
                return Malformed("it names no issuer");
            if (!string.Equals(issuer, settings.Issuer, StringComparison.Ordinal))
            {
                return new Refusal(RefusalKind.Untrusted,
                    "The authorization server's metadata names another issuer than this connection. Compare both letter by letter, to the last slash.")
                {
                    Code = "issuer-mismatch",
                };
            }
            var reach = OutboundReach.Of(settings);
            string? bad = null;
            var authorization = Endpoint("authorization_endpoint");
            var token = Endpoint("token_endpoint");
            var par = Endpoint("pushed_authorization_request_endpoint");
            var revocation = Endpoint("revocation_endpoint");
            var jwks = Endpoint("jwks_uri");
            var endSession = Endpoint("end_session_endpoint");
            var requiresPar = Flag("require_pushed_authorization_requests");
            var sendsIss = Flag("authorization_response_iss_parameter_supported");
            var methods = Texts("code_challenge_methods_supported");
            var scopes = Texts("scopes_supported");
            var grants = Texts("grant_types_supported");
            if (bad is null && token is null)
                bad = "token_endpoint";
            if (bad is not null)
                return Malformed($"its member {bad} is missing, of the wrong type or not an https address");
            return new ServerMetadata(issuer, authorization, token!)
            {
                PushedAuthorizationRequestEndpoint = par,
                RequiresPushedAuthorizationRequests = requiresPar,
                RevocationEndpoint = revocation,
                JwksUri = jwks,
                EndSessionEndpoint = endSession,
                SendsIss = sendsIss,
                CodeChallengeMethods = methods,
                Scopes = scopes,
                GrantTypes = grants,
            };

            Uri? Endpoint(string name)
            {
                if (!root.TryText(name, out var text))
                    bad ??= name;
                if (text is null)
                    return null;
                if (!Endpoints.TryEndpoint(text, reach, out var uri))
                    bad ??= name;
                return uri;
            }

            bool Flag(string name)
            {
                if (!root.TryFlag(name, out var flag))
                    bad ??= name;
                return flag;
            }

            ImmutableArray<string>? Texts(string name)
            {
                if (!root.TryTexts(name, out var texts))
                    bad ??= name;
                return texts;
            }
        }
    }

    private static Refusal Malformed(string what) =>
        new(RefusalKind.Untrusted, $"The authorization server's metadata cannot be used: {what}.") { Code = "metadata-malformed" };
}
