using Postern.Sandbox.Issuers;

namespace Postern.Sandbox.Pages;

/// <summary>Says what the client wants, lets the person leave parts out, and takes no for an answer.</summary>
internal static class ConsentPage
{
    public static IResult For(
        IssuerProfile profile, ClientFace client, DemoUser user, IEnumerable<string> scopes, AuthorizationRequest request, string ticket) =>
        new HtmlPage(StatusCodes.Status200OK, $"Allow {client.Name}?", profile.Id, Markup.Of($"""
            <p class="issuer">{profile.Title}</p>
            <h1>Allow {client.Name} to act for you?</h1>
            <form class="account" method="post" action="{profile.SignIn}">
            <input type="hidden" name="return_to" value="{request.Url}">
            <p>You are <strong>{user.Name}</strong>, {user.Email}.</p>
            <button class="link" type="submit" name="user" value="">Use another account</button>
            </form>
            <form method="post" action="{profile.Authorize}">
            {HiddenFields.For(request)}
            <input type="hidden" name="{AuthorizationRequest.Ticket}" value="{ticket}">
            <fieldset class="scopes">
            <legend>It asks for this. Untick what you do not want to give.</legend>
            {Markup.Join(scopes.Select(scope => Scope(scope, user)))}
            </fieldset>
            <p class="whereto">The answer goes to <span class="site">{client.Site}</span>.</p>
            <div class="actions">
            <button class="primary" type="submit" name="{AuthorizationRequest.Decision}" value="allow">Allow</button>
            <button type="submit" name="{AuthorizationRequest.Decision}" value="deny">Deny</button>
            </div>
            </form>
            """), client.RedirectUri);

    private static Markup Scope(string scope, DemoUser user)
    {
        var (title, reaches) = ScopeWords.Of(scope, user);
        var state = ScopeWords.IsRequired(scope) ? new Markup(" disabled") : Markup.Empty;
        return Markup.Of($"""
            <div class="scope">
            <input type="checkbox" id="scope-{scope}" name="{AuthorizationRequest.Granted}" value="{scope}" checked{state}
             aria-describedby="reaches-{scope}">
            <div><label for="scope-{scope}">{title} <code>{scope}</code></label><p id="reaches-{scope}">{reaches}</p></div>
            </div>

            """);
    }
}
