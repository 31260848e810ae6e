using System.Net.Http.Headers;
using System.Text;
using Postern.Model;

namespace Postern.Grants.Leases;

/// <summary>One opened access token. It writes its header on requests to the connection's own origin and to no other.</summary>
internal sealed class Bearer(SecretBytes access, int generation, Uri endpoint) : IBearer, IDisposable
{
    public int Generation => generation;

    public void Authorize(HttpRequestMessage request)
    {
        if (request.RequestUri is not { IsAbsoluteUri: true } target
            || Uri.Compare(target, endpoint, UriComponents.SchemeAndServer, UriFormat.SafeUnescaped, StringComparison.OrdinalIgnoreCase) != 0)
        {
            throw new InvalidOperationException("A token goes to its connection's own endpoint only.");
        }
        request.Headers.Authorization = new AuthenticationHeaderValue("Bearer", Encoding.UTF8.GetString(access.Reveal()));
    }

    public void Dispose() => access.Dispose();
}
