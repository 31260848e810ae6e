using Postern.Sandbox.Issuers;

namespace Postern.Sandbox.Pages;

/// <summary>What is here, for people who open the bare address.</summary>
internal static class HomePage
{
    public static IResult For(IssuerAddress address, IEnumerable<IssuerProfile> profiles) => new HtmlPage(
        StatusCodes.Status200OK, "Postern sandbox", "", Markup.Of($"""
            <h1>Postern sandbox</h1>
            <p>Authorization servers and a data platform to try Postern against, on this machine only.</p>
            <dl class="facts">
            {Markup.Join(profiles.Select(profile => Issuer(address, profile)))}
            </dl>
            <p>Traffic log: <a href="/__sandbox/log"><code>/__sandbox/log</code></a><br>
            Pending faults: <a href="/__sandbox/faults"><code>/__sandbox/faults</code></a></p>
            """));

    private static Markup Issuer(IssuerAddress address, IssuerProfile profile) => Markup.Of($"""
        <dt>{profile.Title}</dt>
        <dd>Issuer <code>{address.Origin + profile.Path}</code>, <a href="{profile.Metadata[0]}">metadata</a></dd>

        """);
}
