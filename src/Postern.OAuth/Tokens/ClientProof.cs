using System.Net.Http.Headers;
using System.Text;
using Postern.Model;

namespace Postern.OAuth;

/// <summary>How the client proves itself: one method for a request, the registered one (RFC 6749 section 2.3).</summary>
internal static class ClientProof
{
    private static readonly MediaTypeWithQualityHeaderValue Json = new("application/json");

    /// <summary>A POST of the form with the client's authentication added.</summary>
    /// <param name="withClientId">False when the form names the client already.</param>
    public static HttpRequestMessage Post(AuthorizationSettings settings, Uri endpoint, SecretForm form, bool withClientId = true)
    {
        var request = new HttpRequestMessage(HttpMethod.Post, endpoint) { Content = form };
        request.Headers.Accept.Add(Json);
        switch (settings.ClientAuthentication)
        {
            case ClientAuthentication.SecretBasic:
                request.Headers.Authorization = Basic(settings.ClientId, Secret(settings));
                break;
            case ClientAuthentication.SecretPost:
                if (withClientId)
                    form.Add("client_id", settings.ClientId);
                form.Add("client_secret", Secret(settings));
                break;
            case ClientAuthentication.None:
                if (withClientId)
                    form.Add("client_id", settings.ClientId);
                break;
            default:
                throw new ArgumentOutOfRangeException(nameof(settings), "Unknown client authentication.");
        }
        return request;
    }

    /// <summary>A bug, never an answer: credentials of one issuer must not reach another.</summary>
    /// <exception cref="ArgumentException">The metadata is of another issuer than the settings.</exception>
    public static void RequireSameIssuer(AuthorizationSettings settings, ServerMetadata metadata)
    {
        if (!string.Equals(settings.Issuer, metadata.Issuer, StringComparison.Ordinal))
            throw new ArgumentException("The metadata is of another issuer than the connection.", nameof(metadata));
    }

    /// <summary>Id and secret are form-encoded first, so that a colon or a plus survives (RFC 6749 section 2.3.1).</summary>
    private static AuthenticationHeaderValue Basic(string id, SecretText secret) =>
        new("Basic", Convert.ToBase64String(Encoding.ASCII.GetBytes($"{FormEncode(id)}:{FormEncode(secret.Reveal())}")));

    private static string FormEncode(string text) => Uri.EscapeDataString(text).Replace("%20", "+", StringComparison.Ordinal);

    private static SecretText Secret(AuthorizationSettings settings) =>
        settings.ClientSecret ?? throw new ArgumentException("This client authentication needs a client secret.", nameof(settings));
}
