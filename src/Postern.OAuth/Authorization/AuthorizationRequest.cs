using Postern.Model;

namespace Postern.OAuth;

/// <summary>A begun authorization: the address to send the browser to, and what the server side keeps.</summary>
/// <param name="Url">Where the browser goes. It carries the state, so it goes to that browser and into no log.</param>
/// <param name="Pending">The private part; seal <see cref="PendingAuthorization.ToSecret"/> and keep it until the callback.</param>
/// <param name="Pushed">Whether the request was pushed (RFC 9126); the URL then holds client and reference only.</param>
/// <param name="ValidFor">How long the server keeps a pushed request; null when not pushed.</param>
public sealed record AuthorizationRequest(string Url, PendingAuthorization Pending, bool Pushed, TimeSpan? ValidFor)
{
    /// <summary>The shape only.</summary>
    public override string ToString() => $"AuthorizationRequest {{ Issuer = {Pending.Issuer}, Pushed = {Pushed} }}";
}
