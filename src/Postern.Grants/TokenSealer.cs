using Postern.Grants.Renewal;
using Postern.Model;
using Postern.OAuth;
using Postern.Store;
using Postern.Vault;

namespace Postern.Grants;

/// <summary>Seals a fresh pair for one generation of one grant: for storing, never for use before it is stored.</summary>
internal sealed class TokenSealer(TokenVault vault, SteadyClock clock, IChance chance)
{
    /// <summary>The sealed pair with its times by the store's clock.</summary>
    /// <param name="tokens">What the token endpoint gave.</param>
    /// <param name="refresh">The refresh token of this generation: the new one, or the old one where the server keeps it.</param>
    /// <param name="absoluteEnd">When the grant ends in any case; a pair that lasts so long is not renewed.</param>
    public async Task<SealedPair> SealAsync(
        GrantId grant, SubjectKey subject, Connection connection, int generation, TokenSet tokens, SecretBytes? refresh, DateTimeOffset? absoluteEnd = null)
    {
        var digest = ConnectionDigest.Of(connection);
        var access = await vault.SealAsync(
            RecordContexts.AccessToken(grant, subject, connection.Id, generation, digest), tokens.Access, CancellationToken.None);
        var sealedRefresh = refresh is null
            ? null
            : await vault.SealAsync(
                RecordContexts.RefreshToken(grant, subject, connection.Id, generation, digest), refresh, CancellationToken.None);

        var issued = await clock.NowAsync(CancellationToken.None);
        var expires = issued + (tokens.ExpiresIn ?? connection.Lifetimes.AssumedAccessToken);
        DateTimeOffset? due = expires >= absoluteEnd ? null : RenewalProtocol.DueAt(issued, expires, connection.Lifetimes, chance.NextFraction());
        return new SealedPair(access, sealedRefresh, expires, RefreshExpiresAt: null, due);
    }
}
