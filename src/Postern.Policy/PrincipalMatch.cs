using Postern.Model;

namespace Postern.Policy;

/// <summary>
/// Whether the identity that consented at the platform is the person who asked (R3). Rules, in favour of "no":
/// e-mail addresses are equal character by character, where only A to Z are the same as a to z (no Unicode folding, no normalisation,
/// no trimming, no dots or plus signs ignored); an address has exactly one <c>@</c> with something on both sides and no white space;
/// any other attribute equals the principal's id or name byte for byte; an attribute with no value or several matches nobody.
/// </summary>
public static class PrincipalMatch
{
    /// <summary>Judges the match that the connection asks for.</summary>
    /// <returns>
    /// <see cref="RefusalKind.Forbidden"/> with code <c>principal-mismatch</c>, naming both;
    /// <see cref="RefusalKind.Untrusted"/> when the principal comes from another issuer or the subject from another tenant.
    /// </returns>
    public static Outcome<Done> Judge(Connection connection, Subject subject, PlatformPrincipal principal)
    {
        if (connection.Tenant != subject.Key.Tenant)
            return new Refusal(RefusalKind.Untrusted, "The connection belongs to somebody else.") { Code = "tenant-mismatch" };
        if (!string.Equals(principal.Issuer, connection.Authorization.Issuer, StringComparison.Ordinal))
        {
            return new Refusal(RefusalKind.Untrusted, "The identity at the platform comes from another authorization server than the connection's.")
            {
                Code = "principal-issuer",
                Connection = connection.Id,
            };
        }
        if (connection.IdentityMatch.Attribute is not { } attribute)
            return new Done();

        var own = Single(subject, attribute);
        var matches = own is not null && (string.Equals(attribute, IdentityMatch.Email.Attribute, StringComparison.Ordinal)
            ? SameAddress(own, principal.Email ?? principal.Name)
            : own.Length > 0 && (string.Equals(own, principal.Id, StringComparison.Ordinal) || string.Equals(own, principal.Name, StringComparison.Ordinal)));
        return matches ? new Done() : Mismatch(connection, attribute, own, principal);
    }

    private static bool SameAddress(string left, string? right)
    {
        if (right is null || left.Length != right.Length || !IsAddress(left) || !IsAddress(right))
            return false;
        for (var i = 0; i < left.Length; i++)
        {
            if (left[i] != right[i] && !(char.IsAsciiLetter(left[i]) && char.IsAsciiLetter(right[i]) && (left[i] | 0x20) == (right[i] | 0x20)))
                return false;
        }
        return true;
    }

    private static bool IsAddress(string text)
    {
        var at = text.IndexOf('@', StringComparison.Ordinal);
        if (at <= 0 || at == text.Length - 1 || text.IndexOf('@', at + 1) >= 0)
            return false;
        foreach (var c in text)
        {
            if (char.IsWhiteSpace(c) || char.IsControl(c) || char.GetUnicodeCategory(c) == System.Globalization.UnicodeCategory.Format)
                return false;
        }
        return true;
    }

    private static string? Single(Subject subject, string attribute) =>
        subject.Attributes.TryGetValue(attribute, out var values) && values is [var only] ? only : null;

    private static Refusal Mismatch(Connection connection, string attribute, string? own, PlatformPrincipal principal)
    {
        var theirs = Printable(principal.Email ?? principal.Name);
        var detail = own is null
            ? $"'{theirs}' consented at {connection.DisplayName}, but your account here has no single value for '{attribute}' to compare with. Nothing was stored."
            : $"'{theirs}' consented at {connection.DisplayName}, but you are '{Printable(own)}' here. Nothing was stored. Sign in at the platform with your own account and try again.";
        return new(RefusalKind.Forbidden, detail) { Code = "principal-mismatch", Connection = connection.Id };
    }

    // Names come from elsewhere: a detail must not carry control characters, direction marks or a page of text.
    private static string Printable(string text)
    {
        var clean = new string([.. text.Where(c => !char.IsControl(c) && char.GetUnicodeCategory(c) != System.Globalization.UnicodeCategory.Format)]);
        return clean.Length <= 120 ? clean : clean[..120] + "…";
    }
}
