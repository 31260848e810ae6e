using System.Collections.Immutable;
using Postern.Model;

namespace Postern.OAuth;

/// <summary>What a token endpoint issued (RFC 6749 section 5.1). Owns its secrets: dispose it once they are sealed.</summary>
/// <param name="Access">The access token, UTF-8.</param>
/// <param name="Refresh">The refresh token, or null: keep the one you have, if any (RFC 6749 section 6).</param>
/// <param name="ExpiresIn">How long the access token is valid from now; null when the server does not say. At most a year.</param>
/// <param name="Scope">The granted scopes; null when absent, which means "as requested"; empty when the server granted none (section 5.1).</param>
/// <param name="IdToken">The ID token of a code exchange, not yet validated: only <see cref="IdTokenReader"/> may believe it. Null on renewal.</param>
public sealed record TokenSet(
    SecretBytes Access,
    SecretBytes? Refresh,
    TimeSpan? ExpiresIn,
    ImmutableArray<string>? Scope,
    SecretText? IdToken) : IDisposable
{
    /// <summary>The scopes that decide: the granted ones, or the requested ones where the server's silence means them.</summary>
    public ImmutableArray<string> GrantedScopes(ImmutableArray<string> requested) => Scope ?? requested;

    /// <summary>Wipes the access and the refresh token.</summary>
    public void Dispose()
    {
        Access.Dispose();
        Refresh?.Dispose();
    }
}
