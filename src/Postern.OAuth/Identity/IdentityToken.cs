using System.Collections.Immutable;

namespace Postern.OAuth;

/// <summary>A validated ID token: who the issuer says signed in (OpenID Connect Core section 2).</summary>
/// <param name="Issuer">The issuer, byte for byte.</param>
/// <param name="Subject">The stable id at that issuer, at most 255 characters, compared byte for byte.</param>
/// <param name="Email">The e-mail address, if asserted.</param>
/// <param name="EmailVerified">What the issuer says of it; null when silent.</param>
/// <param name="Name">The display name, if asserted.</param>
/// <param name="Claims">Every claim whose value is text, number, boolean or a list of those, by name.</param>
public sealed record IdentityToken(
    string Issuer,
    string Subject,
    string? Email,
    bool? EmailVerified,
    string? Name,
    ImmutableSortedDictionary<string, ImmutableArray<string>> Claims);
