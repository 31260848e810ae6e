namespace Postern.Sandbox.Issuers;

/// <summary>The people one issuer can sign in, under the subjects it gives them.</summary>
internal sealed class IssuerDirectory(IssuerProfile profile, IReadOnlyList<DemoUser> users)
{
    /// <summary>The people, in the order the sign-in page lists them.</summary>
    public IReadOnlyList<DemoUser> Users => users;

    /// <summary>The <c>sub</c> of a person at this issuer.</summary>
    public string SubjectOf(DemoUser user) => profile.SubjectPrefix + user.Id;

    /// <summary>The person with this id, or <see langword="null"/>.</summary>
    public DemoUser? Find(string? id) => users.FirstOrDefault(user => user.Id == id);

    /// <summary>The person behind a <c>sub</c>, or <see langword="null"/> when it is none of theirs (a service principal, say).</summary>
    public DemoUser? FindBySubject(string? subject) => users.FirstOrDefault(user => SubjectOf(user) == subject);
}
