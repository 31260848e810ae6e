using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Postern.Grants.Definitions;
using Postern.Grants.Pacing;
using Postern.Grants.Renewal;
using Postern.Model;
using Postern.OAuth;
using Postern.Store;
using Postern.Vault;

namespace Postern.Grants.Revocation;

/// <summary>
/// Revocation in two parts. Here and now: the grant is marked, its tokens move to the outbox, in one transaction; no query starts
/// after it, on any node. At the provider: the outbox tells it until it is done, or says that it cannot.
/// </summary>
internal sealed partial class Revoker(
    PosternStore store, TokenVault vault, OAuthClient oauth, IssuerGates gates, DefinitionBook definitions, SteadyClock clock, IChance chance, TimeProvider time,
    GrantOptions options, ILogger<Revoker> log) : BackgroundService
{
    private static readonly TimeSpan ClaimFor = TimeSpan.FromSeconds(30);
    private const int Batch = 64;
    private const int AtOnce = 8;
    // What the server's cap has no room for now comes back within this, spread so that it does not all come back at once.
    private static readonly TimeSpan Spread = TimeSpan.FromSeconds(20);
    // No HTTP status: the tokens never left.
    private const int CannotOpen = 0;
    private readonly SemaphoreSlim wake = new(0, 1);

    /// <summary>Marks a grant revoked; false when it was already.</summary>
    /// <param name="actor">Who revokes, when it is not the person.</param>
    public async Task<bool> RevokeAsync(GrantRow grant, string code, string? actor, CancellationToken cancellation)
    {
        var tenant = grant.Subject.Tenant;
        var result = await store.CommitAsync(
            [RevocationChanges.EnqueueFromGrant(chance.NewId(), tenant, grant.Id), GrantChanges.Revoke(tenant, grant.Id)],
            GrantFacts.Event(EventKind.GrantRevoked, grant, code) with { Actor = actor }, null, cancellation);
        if (result.Committed)
            Wake();
        return result.Committed;
    }

    /// <summary>Looks into the outbox now instead of at the next turn.</summary>
    public void Wake()
    {
        try
        {
            wake.Release();
        }
        catch (Exception e) when (e is SemaphoreFullException or ObjectDisposedException)
        {
            // It is awake, or gone.
        }
    }

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        await using var timer = time.CreateTimer(_ => Wake(), null, options.WorkPeriod, options.WorkPeriod);
        while (true)
        {
            try
            {
                // At once first: what an earlier process left is due.
                await TellAsync(stoppingToken);
            }
            catch (Exception broken) when (!stoppingToken.IsCancellationRequested)
            {
                TurnFailed(log, broken);
            }
            await wake.WaitAsync(stoppingToken);
        }
    }

    /// <summary>One turn: everything that is due now. A server that does not answer holds up nobody else's.</summary>
    internal async Task TellAsync(CancellationToken cancellation) => await Parallel.ForEachAsync(
        await store.Revocations.DueAsync(Batch, cancellation),
        new ParallelOptions { MaxDegreeOfParallelism = AtOnce, CancellationToken = cancellation },
        async (due, token) =>
        {
            try
            {
                await TellAsync(due, token);
            }
            catch (Exception broken) when (!token.IsCancellationRequested)
            {
                // It is claimed and comes back when the claim ends.
                TurnFailed(log, broken);
            }
        });

    private async Task TellAsync(RevocationRow due, CancellationToken cancellation)
    {
        var found = await definitions.ConnectionAsync(due.Tenant, due.Connection, cancellation);
        found.TryGet(out var connection, out var unknown);
        Passage? passage = null;
        if (connection is not null)
        {
            // Before the claim: what has to wait is no failed attempt, and no event.
            var entered = await gates.EnterAsync(connection.Authorization, Urgency.Background, TokensOf(due));
            if (!entered.TryGet(out passage, out var full))
            {
                await store.UpkeepAsync(RevocationChanges.Defer(due, full.RetryAfter.GetValueOrDefault() + chance.NextFraction() * Spread), cancellation);
                return;
            }
        }
        using var passing = passage;
        if (!(await store.UpkeepAsync(RevocationChanges.Claim(due, ClaimFor), cancellation)).Committed)
            return;
        if (connection is not null)
        {
            await TellAsync(due, connection, passage!, cancellation);
            return;
        }
        // No such connection (any more): nobody can be told. Edited outside: somebody may put it right.
        var fence = due.Fence + 1;
        await (unknown!.Kind == RefusalKind.NotFound
            ? FinishAsync(due, fence, RevocationStatus.GaveUp, EventKind.ProviderRevocationFailed, unknown.Code, cancellation)
            : RetryAsync(due, fence, unknown.Code, null, cancellation));
    }

    private async Task TellAsync(RevocationRow due, Connection connection, Passage passage, CancellationToken cancellation)
    {
        var fence = due.Fence + 1;
        if (TokensOf(due) == 0)
        {
            await FinishAsync(due, fence, RevocationStatus.Done, EventKind.ProviderRevoked, "no-tokens", cancellation);
            return;
        }
        var known = await oauth.Metadata.GetAsync(connection.Authorization, cancellation);
        if (!known.TryGet(out var metadata, out var noMetadata))
        {
            await RetryAsync(due, fence, noMetadata.Code, noMetadata.RetryAfter, cancellation);
            return;
        }
        if (metadata.RevocationEndpoint is null)
        {
            await FinishAsync(due, fence, RevocationStatus.Cannot, EventKind.ProviderCannotRevoke, "no-endpoint", cancellation);
            return;
        }

        // The refresh token first: with many providers that ends the access token too (RFC 7009 section 2.1). Then the access token.
        var answer = await RevokeAsync(due, connection, metadata, TokenKind.Refresh, due.RefreshSealed, passage, cancellation)
            ?? await RevokeAsync(due, connection, metadata, TokenKind.Access, due.AccessSealed, passage, cancellation)
            ?? new RevocationAnswer.Revoked();
        switch (answer)
        {
            case RevocationAnswer.Revoked:
                await FinishAsync(due, fence, RevocationStatus.Done, EventKind.ProviderRevoked, null, cancellation);
                break;
            case RevocationAnswer.NotSupported:
                await FinishAsync(due, fence, RevocationStatus.Cannot, EventKind.ProviderCannotRevoke, "token-type", cancellation);
                break;
            case RevocationAnswer.Rejected { Status: CannotOpen } closed:
                await FinishAsync(due, fence, RevocationStatus.GaveUp, EventKind.ProviderRevocationFailed, closed.Error, cancellation);
                break;
            case RevocationAnswer.Rejected rejected:
                await RetryAsync(due, fence, rejected.Error, TimeSpan.FromMinutes(5), cancellation);
                break;
            case RevocationAnswer.Unavailable unavailable:
                await RetryAsync(due, fence, unavailable.Kind.ToString(), unavailable.RetryAfter, cancellation);
                break;
        }
    }

    private static int TokensOf(RevocationRow due) => (due.RefreshSealed is null ? 0 : 1) + (due.AccessSealed is null ? 0 : 1);

    /// <summary>Null when this token is dead and the next one may be told.</summary>
    private async Task<RevocationAnswer?> RevokeAsync(
        RevocationRow due, Connection connection, ServerMetadata metadata, TokenKind kind, byte[]? record, Passage passage,
        CancellationToken cancellation)
    {
        if (record is null)
            return null;
        var digest = ConnectionDigest.Of(connection);
        var context = kind == TokenKind.Refresh
            ? RecordContexts.RefreshToken(due.Grant, due.Subject, due.Connection, due.Generation, digest)
            : RecordContexts.AccessToken(due.Grant, due.Subject, due.Connection, due.Generation, digest);
        var opened = await vault.OpenAsync(context, record, cancellation);
        if (!opened.TryGet(out var token, out var why))
        {
            // Sealed to where the connection led then. If it leads elsewhere now, nobody there knows the token, nor may learn it.
            return why.IsKeyUnavailable()
                ? new RevocationAnswer.Unavailable(UnavailableKind.ServerError, why.RetryAfter)
                : new RevocationAnswer.Rejected(why.Code, CannotOpen);
        }
        using (token)
        {
            var answer = await oauth.Revocations.RevokeAsync(connection.Authorization, metadata, token, kind, cancellation);
            passage.Heard(answer);
            // Self-contained access tokens often cannot be revoked; the refresh token was what mattered.
            var done = answer is RevocationAnswer.Revoked || kind == TokenKind.Access && answer is RevocationAnswer.NotSupported && due.RefreshSealed is not null;
            return done ? null : answer;
        }
    }

    private async Task FinishAsync(RevocationRow due, long fence, RevocationStatus status, EventKind kind, string? code, CancellationToken cancellation) =>
        await store.CommitAsync(
            [RevocationChanges.Finish(due.Tenant, due.Id, fence, status, code)],
            Event(kind, due, code).With("accessLivesUntil", due.AccessLivesUntil?.ToUnixTimeSeconds() ?? 0), null, cancellation);

    private async Task RetryAsync(RevocationRow due, long fence, string code, TimeSpan? retryAfter, CancellationToken cancellation)
    {
        var notBefore = await clock.NowAsync(cancellation) + RenewalProtocol.Backoff(due.Attempts + 1, retryAfter, chance.NextFraction());
        await store.CommitAsync(
            [RevocationChanges.Retry(due.Tenant, due.Id, fence, notBefore, code)],
            Event(EventKind.ProviderRevocationFailed, due, code).With("attempts", due.Attempts + 1), null, cancellation);
    }

    private static AuditEvent Event(EventKind kind, RevocationRow due, string? code) => new(kind, due.Tenant)
    {
        Subject = due.Subject,
        Connection = due.Connection,
        Grant = due.Grant,
        Generation = due.Generation,
        Code = code,
    };

    /// <inheritdoc/>
    public override void Dispose()
    {
        wake.Dispose();
        base.Dispose();
    }

    [LoggerMessage(4201, LogLevel.Warning, "A turn of the revocation outbox failed; it goes on at the next turn.")]
    private static partial void TurnFailed(ILogger log, Exception broken);
}
