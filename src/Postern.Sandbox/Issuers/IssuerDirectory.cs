namespace Postern.Sandbox.Issuers;

/// <summary>The people one issuer can sign in, under the subjects it gives them.</summary>
internal sealed class IssuerDirectory(IssuerProfile profile, IReadOnlyList<DemoUser> users)
{
    private readonly Dictionary<string, DemoUser> _byId = users.ToDictionary(user => user.Id, StringComparer.Ordinal);
    private readonly Dictionary<string, DemoUser> _bySubject = users.ToDictionary(user => profile.SubjectPrefix + user.Id, StringComparer.Ordinal);

    /// <summary>The people, in the order the sign-in page lists them.</summary>
    public IReadOnlyList<DemoUser> Users => users;

    /// <summary>The <c>sub</c> of a person at this issuer.</summary>
    public string SubjectOf(DemoUser user) => profile.SubjectPrefix + user.Id;

    /// <summary>The person with this id, or <see langword="null"/>.</summary>
    public DemoUser? Find(string? id) => id is null ? null : _byId.GetValueOrDefault(id);

    /// <summary>The person behind a <c>sub</c>, or <see langword="null"/> when it is none of theirs (a service principal, say).</summary>
    public DemoUser? FindBySubject(string? subject) => subject is null ? null : _bySubject.GetValueOrDefault(subject);
}
