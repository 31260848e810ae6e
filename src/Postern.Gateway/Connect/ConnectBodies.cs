using Postern.Grants.Connects;
using Postern.Model;

namespace Postern.Gateway.Connect;

/// <summary><c>POST /api/connects</c>.</summary>
internal sealed record BeginConnect(string? Connection);

/// <summary>Its answer: the handle stays in the window that asked.</summary>
internal sealed record BegunConnectBody(Guid Id, string Handle, string Popup);

/// <summary><c>POST /connect/introduce</c> and <c>/connect/start</c>.</summary>
internal sealed record ConnectHandle(string? Handle, string? AgreementVersion);

/// <summary>Where the popup goes on.</summary>
internal sealed record AuthorizeBody(string AuthorizeUrl);

/// <summary><c>POST /api/connects/{id}/confirm</c>.</summary>
internal sealed record ConfirmConnect(string? Confirmation);

/// <summary>Its answer.</summary>
internal sealed record ConfirmedBody(Guid Id, string Connection, string State, string Principal);

/// <summary>A scope and what it reaches.</summary>
internal sealed record ScopeBody(string Name, string Reaches)
{
    public static ScopeBody[] Of(IEnumerable<string> scopes, ProviderProfile? profile) =>
        [.. scopes.Select(scope => new ScopeBody(scope, profile?.Reaches(scope) ?? ""))];
}

/// <summary>Who is about to connect what, for which host.</summary>
internal sealed record ConnectIntroductionBody(
    ConnectIntroductionBody.IntroducedConnection Connection, ConnectIntroductionBody.HostPart? Host, ConnectIntroductionBody.SubjectPart Subject,
    ScopeBody[] Scopes, ConnectIntroductionBody.AgreementPart? Agreement)
{
    internal sealed record IntroducedConnection(string DisplayName, string Platform, string Endpoint);

    internal sealed record HostPart(string DisplayName, string Origin);

    internal sealed record SubjectPart(string Name, string? Email);

    internal sealed record AgreementPart(string Version, string Text);

    public static ConnectIntroductionBody Of(ConnectIntroduction introduction)
    {
        var connection = introduction.Connection;
        return new(
            new(connection.DisplayName, connection.Platform, connection.Endpoint.GetLeftPart(UriPartial.Authority)),
            introduction.HostOrigin is { } origin ? new(introduction.HostDisplay ?? origin, origin) : null,
            new(introduction.Subject.DisplayName, introduction.Subject.Email),
            ScopeBody.Of(connection.Authorization.Scopes, ProviderProfile.Of(connection.Authorization)),
            connection.Agreement is { } agreement ? new(agreement.Version, agreement.Text) : null);
    }
}
