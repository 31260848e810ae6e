using Microsoft.AspNetCore.Http.Extensions;
using Microsoft.Extensions.Primitives;

namespace Postern.Sandbox.Issuers;

/// <summary>
/// An authorization request as the browser brought it (with PAR: client id and request URI only), apart from the answers of our own
/// forms. It can be put into a form or a URL and comes back the same.
/// </summary>
/// <param name="Fields">The parameters in order.</param>
/// <param name="Url">Path and query of the same request by GET.</param>
internal sealed record AuthorizationRequest(IReadOnlyList<KeyValuePair<string, string>> Fields, string Url)
{
    /// <summary>The form field that carries the consent ticket.</summary>
    public const string Ticket = "consent_ticket";

    /// <summary>The form field that carries the decision, <c>allow</c> or <c>deny</c>.</summary>
    public const string Decision = "consent_decision";

    /// <summary>The form field, one for each scope, that carries what was left ticked.</summary>
    public const string Granted = "consent_scope";

    /// <summary>Reads the request; <paramref name="path"/> is the authorization endpoint.</summary>
    public static AuthorizationRequest Read(HttpRequest request, string path)
    {
        IEnumerable<KeyValuePair<string, StringValues>> source = request.HasFormContentType ? request.Form : request.Query;
        var fields = source
            .Where(field => field.Key is not (Ticket or Decision or Granted))
            .SelectMany(field => field.Value, (field, value) => KeyValuePair.Create(field.Key, value ?? ""))
            .ToList();
        return new AuthorizationRequest(fields, path + new QueryBuilder(fields));
    }
}
