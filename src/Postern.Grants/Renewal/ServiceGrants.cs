using System.Collections.Concurrent;
using Postern.Model;
using Postern.OAuth;
using Postern.Store;

namespace Postern.Grants.Renewal;

/// <summary>
/// The one grant of a <c>service</c> connection: made by client credentials when it is first needed, renewed like any other. Two
/// nodes that make it at once are harmless: the second finds the place taken.
/// </summary>
internal sealed class ServiceGrants(PosternStore store, OAuthClient oauth, TokenSealer sealer, RowMacs macs, IChance chance, TimeProvider time, GrantOptions options)
{
    private readonly SingleFlight<(TenantId, ConnectionId), Outcome<GrantRow>> flights = new(options.SendFor + options.SendFor, time);
    // There is no row yet that could keep a backoff, so each node remembers the refusals it got.
    private readonly ConcurrentDictionary<(TenantId, ConnectionId), Rest> resting = new();

    public async Task<Outcome<GrantRow>> AcquireAsync(Connection connection, CancellationToken cancellation)
    {
        var place = (connection.Tenant, connection.Id);
        if (resting.TryGetValue(place, out var rest) && rest.Revision == connection.Revision)
        {
            var left = rest.For - time.GetElapsedTime(rest.Since);
            if (left > TimeSpan.Zero)
                return rest.Refusal with { RetryAfter = left };
        }
        var acquired = await flights.RunAsync(place, _ => FetchAsync(connection, CancellationToken.None), cancellation);
        if (acquired.TryGet(out _, out var refusal))
            resting.TryRemove(place, out _);
        else if (refusal.RetryAfter is { } wait)
            resting[place] = new(refusal, connection.Revision, time.GetTimestamp(), wait);
        return acquired;
    }

    private async Task<Outcome<GrantRow>> FetchAsync(Connection connection, CancellationToken cancellation)
    {
        var subject = SubjectKey.Service(connection.Tenant);
        var known = await oauth.Metadata.GetAsync(connection.Authorization, cancellation);
        if (!known.TryGet(out var metadata, out var noMetadata))
            return noMetadata with { Connection = connection.Id };
        var answer = await oauth.Tokens.ClientCredentialsAsync(connection.Authorization, metadata, cancellation);
        if (answer is not TokenAnswer.Issued { Tokens: var tokens })
            return await RefuseAsync(connection, subject, answer, cancellation);

        using (tokens)
        {
            var grant = new GrantId(chance.NewId());
            var principal = new PlatformPrincipal(connection.Authorization.Issuer, connection.Authorization.ClientId, connection.Authorization.ClientId);
            var pair = await sealer.SealAsync(grant, subject, connection, 1, tokens, refresh: null);
            var made = new NewGrant
            {
                Id = grant,
                Subject = subject,
                Connection = connection.Id,
                Pair = pair,
                Scopes = string.Join(' ', tokens.GrantedScopes(connection.Authorization.Scopes)),
                Principal = principal,
                ConnectionDigest = ConnectionDigest.Of(connection),
                DefinitionRevision = connection.Revision,
            };
            await store.CommitAsync(
                [GrantChanges.InsertActive(await macs.SignAsync(made, confirmation: null, cancellation))],
                new AuditEvent(EventKind.TokensIssued, connection.Tenant)
                { Subject = subject, Connection = connection.Id, Grant = grant, Generation = 1, Principal = principal, Code = "client-credentials" },
                null, cancellation);
        }
        // Ours, or the one of a node that was faster.
        return await store.Grants.FindActiveAsync(subject, connection.Id, cancellation) is { } row
            ? row
            : new Refusal(RefusalKind.Conflict, "The service connection changed while it was being made. Try again.") { Connection = connection.Id };
    }

    private async Task<Refusal> RefuseAsync(Connection connection, SubjectKey subject, TokenAnswer answer, CancellationToken cancellation)
    {
        var (code, retryAfter) = answer switch
        {
            TokenAnswer.Rejected rejected => (rejected.Error, (TimeSpan?)null),
            TokenAnswer.Unavailable unavailable => (unavailable.Kind.ToString(), unavailable.RetryAfter),
            _ => ("unknown", null),
        };
        await store.RecordAsync(
            new AuditEvent(EventKind.RenewalFailed, connection.Tenant) { Subject = subject, Connection = connection.Id, Code = code }, cancellation);
        return new Refusal(RefusalKind.AuthorizationServerUnavailable,
            $"{connection.DisplayName} cannot be reached right now: its sign-in service gave no token to the service account. An administrator can see why in the audit trail.")
        {
            Connection = connection.Id,
            Code = "service-token",
            RetryAfter = retryAfter ?? TimeSpan.FromSeconds(5),
        };
    }

    private sealed record Rest(Refusal Refusal, long Revision, long Since, TimeSpan For);
}
