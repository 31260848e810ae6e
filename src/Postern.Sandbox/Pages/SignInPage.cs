using Postern.Sandbox.Issuers;

namespace Postern.Sandbox.Pages;

/// <summary>Lists the people; a click is the sign-in.</summary>
internal static class SignInPage
{
    public static IResult For(IssuerProfile profile, ClientFace client, IssuerDirectory directory, AuthorizationRequest request) => new HtmlPage(
        StatusCodes.Status200OK, $"Sign in to {profile.Title}", profile.Id, Markup.Of($"""
            <p class="issuer">{profile.Title}</p>
            <h1>Who are you?</h1>
            <p><strong>{client.Name}</strong> at <span class="site">{client.Site}</span> asks you to sign in.
            Pick a demo account; there are no passwords here.</p>
            <form method="post" action="{profile.SignIn}">
            <input type="hidden" name="return_to" value="{request.Url}">
            <ul class="people">
            {Markup.Join(directory.Users.Select(Person))}
            </ul>
            </form>
            """), client.RedirectUri);

    private static Markup Person(DemoUser user) => Markup.Of($"""
        <li><button type="submit" name="user" value="{user.Id}">
        <span class="initials" aria-hidden="true">{Initials(user.Name)}</span>
        <span class="who"><strong>{user.Name}</strong><span>{user.Email}</span><span class="rights">{Rights(user)}</span></span>
        </button></li>

        """);

    private static string Rights(DemoUser user) => (user.Admin ? "Administrator; sees " : "Sees ") + ScopeWords.Rows(user);

    private static string Initials(string name) =>
        string.Concat(name.Split(' ', StringSplitOptions.RemoveEmptyEntries).Take(2).Select(word => word[0]));
}

/// <summary>Asks before it signs somebody out whom nobody vouches for.</summary>
internal static class SignOutPage
{
    public static IResult For(IssuerProfile profile, AuthorizationRequest request) => new HtmlPage(
        StatusCodes.Status200OK, $"Sign out of {profile.Title}", profile.Id, Markup.Of($"""
            <p class="issuer">{profile.Title}</p>
            <h1>Sign out?</h1>
            <p>Applications you are already in keep their own sessions.</p>
            <form method="post" action="{profile.Logout}">
            {HiddenFields.For(request)}
            <div class="actions"><button class="primary" type="submit" name="{LogoutEndpoint.Confirmation}" value="yes">Sign out</button></div>
            </form>
            """));
}

/// <summary>Carries an authorization request through a form.</summary>
internal static class HiddenFields
{
    public static Markup For(AuthorizationRequest request) => Markup.Join(request.Fields.Select(field =>
        Markup.Of($"""<input type="hidden" name="{field.Key}" value="{field.Value}">""")));
}
