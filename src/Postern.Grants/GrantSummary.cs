using System.Collections.Immutable;
using Postern.Model;
using Postern.Store;

namespace Postern.Grants;

/// <summary>A grant as the person who gave it sees it; never a token.</summary>
/// <param name="Row">The grant.</param>
/// <param name="Connection">Its connection, or null when it no longer exists.</param>
/// <param name="Revocations">What became of telling the authorization server, latest first.</param>
public sealed record GrantSummary(GrantRow Row, Connection? Connection, IReadOnlyList<RevocationRow> Revocations)
{
    /// <summary>The granted scopes.</summary>
    public ImmutableArray<string> Scopes => [.. Row.Scopes.Split(' ', StringSplitOptions.RemoveEmptyEntries)];

    /// <summary>The profile of the authorization server, if this version knows it.</summary>
    public ProviderProfile? Profile => Connection is null ? null : ProviderProfile.Find(Connection.Authorization.Profile);
}
