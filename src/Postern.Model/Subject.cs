using System.Collections.Immutable;

namespace Postern.Model;

/// <summary>
/// Who a person is: tenant, authority and id together. The authority is the sign-in issuer or the embed key of the host
/// application; the same id under two authorities is two people.
/// </summary>
/// <param name="Tenant">The tenant.</param>
/// <param name="Authority">The sign-in issuer's URL, or <c>embed:</c> and the embed key's id.</param>
/// <param name="Id">The id under that authority, compared byte for byte.</param>
public sealed record SubjectKey(TenantId Tenant, string Authority, string Id)
{
    /// <summary>The subject that stands for the tenant itself on <c>service</c> connections.</summary>
    public static SubjectKey Service(TenantId tenant) => new(tenant, "postern:service", tenant.Value);

    /// <inheritdoc/>
    public override string ToString() => $"{Tenant}/{Authority}/{Id}";
}

/// <summary>A person with what the authority says of them.</summary>
/// <param name="Key">Who.</param>
/// <param name="Attributes">Names to values, such as <c>email</c>, <c>name</c>, <c>state</c>; asserted by the authority, never by the browser.</param>
public sealed record Subject(SubjectKey Key, ImmutableSortedDictionary<string, ImmutableArray<string>> Attributes)
{
    /// <summary>The display name: attribute <c>name</c>, else <c>email</c>, else the id.</summary>
    public string DisplayName => First("name") ?? First("email") ?? Key.Id;

    /// <summary>The e-mail address, if the authority asserted one.</summary>
    public string? Email => First("email");

    /// <summary>The first value of an attribute, or null.</summary>
    public string? First(string attribute) =>
        Attributes.TryGetValue(attribute, out var values) && values.Length > 0 ? values[0] : null;
}

/// <summary>The identity at the data platform that consented: who the platform says owns the token.</summary>
/// <param name="Issuer">The authorization server, byte for byte.</param>
/// <param name="Id">The platform's stable id of the person or service principal.</param>
/// <param name="Name">The name it shows, such as an e-mail address or user name.</param>
/// <param name="Email">The e-mail address, if the platform gave one.</param>
public sealed record PlatformPrincipal(string Issuer, string Id, string Name, string? Email = null)
{
    /// <summary>What people and operators are shown: the e-mail, by which they know accounts apart, else the name.</summary>
    public string Shown => Email ?? Name;
}
