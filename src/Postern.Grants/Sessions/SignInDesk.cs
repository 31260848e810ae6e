using System.Collections.Immutable;
using Postern.Grants.Pacing;
using Postern.Grants.Renewal;
using Postern.Model;
using Postern.OAuth;
using Postern.Store;
using Postern.Vault;

namespace Postern.Grants.Sessions;

/// <summary>Where the browser goes to sign in, and the secret that binds this browser to the answer.</summary>
public sealed record SignInRedirect(string Url, SecretText Binding, string BindingName);

/// <summary>Who signed in, and where they wanted to go: a local path.</summary>
public sealed record SignedIn(Subject Subject, string ReturnTo);

/// <summary>OpenID Connect sign-in to the portal (OIDC Core section 3.1), with the same rules as a connect: state, browser, issuer, once.</summary>
public sealed class SignInDesk
{
    private static readonly TimeSpan Within = TimeSpan.FromMinutes(10);
    private readonly PosternStore store;
    private readonly TokenVault vault;
    private readonly OAuthClient oauth;
    private readonly IssuerGates gates;
    private readonly SteadyClock clock;
    private readonly IChance chance;

    internal SignInDesk(PosternStore store, TokenVault vault, OAuthClient oauth, IssuerGates gates, SteadyClock clock, IChance chance)
    {
        this.store = store;
        this.vault = vault;
        this.oauth = oauth;
        this.gates = gates;
        this.clock = clock;
        this.chance = chance;
    }

    /// <summary>Makes the authorization request of a sign-in.</summary>
    /// <param name="returnTo">A local path, judged by the caller.</param>
    public async Task<Outcome<SignInRedirect>> BeginAsync(Tenant tenant, string redirectUri, string returnTo, CancellationToken cancellation)
    {
        var settings = tenant.SignIn.Client;
        var known = await oauth.Metadata.GetAsync(settings, cancellation);
        if (!known.TryGet(out var metadata, out var noMetadata))
            return noMetadata;
        var begun = await oauth.Authorizations.BeginAsync(settings, metadata, redirectUri, cancellation);
        if (!begun.TryGet(out var request, out var refused))
            return refused;

        var state = Connects.ConnectDesk.StateHash(request.Pending.StateDigest);
        var binding = chance.NewSecret();
        using var secret = request.Pending.ToSecret();
        var record = await vault.SealAsync(RecordContexts.SignIn(tenant.Id, state.Hex, settings.Issuer), secret, cancellation);
        var now = await clock.NowAsync(cancellation);
        await store.UpkeepAsync(
            SignInChanges.Begin(new SignInRow(state, tenant.Id, SecretHash.Of(binding.Reveal()), record, returnTo, now + Within)), cancellation);
        return new SignInRedirect(request.Url, binding, Connects.ConnectDesk.BindingName(request.Pending.StateDigest));
    }

    /// <summary>Judges the callback of a sign-in and reads who it was.</summary>
    public async Task<Outcome<SignedIn>> CompleteAsync(
        Tenant tenant, CallbackParameters parameters, string? binding, string receivedAt, CancellationToken cancellation)
    {
        var settings = tenant.SignIn.Client;
        var hash = Connects.ConnectDesk.StateHash(parameters.StateDigest);
        if (await store.Sessions.FindSignInAsync(tenant.Id, hash, cancellation) is not { } row)
            return await RefuseAsync(tenant, "state-unknown", cancellation);
        if (binding is null || row.Binding != SecretHash.Of(binding))
            return await RefuseAsync(tenant, "other-browser", cancellation);

        // Before it counts as used: while the key cannot be had, the same answer may come again.
        var opened = await vault.OpenAsync(RecordContexts.SignIn(tenant.Id, hash.Hex, settings.Issuer), row.Sealed, cancellation);
        if (!opened.TryGet(out var secret, out var sealedFor))
            return sealedFor.IsKeyUnavailable()
                ? KeysUnavailable.Of(sealedFor)
                : await RefuseAsync(tenant, sealedFor.Code, cancellation);
        using (secret)
        {
            if (!(await store.UpkeepAsync(SignInChanges.Use(tenant.Id, hash, SecretHash.Of(binding)), cancellation)).Committed)
                return await RefuseAsync(tenant, "replayed", cancellation);
            if (!PendingAuthorization.TryRead(secret, out var pending))
                return await RefuseAsync(tenant, "pending-unreadable", cancellation);
            var judged = oauth.Callbacks.Judge(parameters, pending, settings, receivedAt);
            if (!judged.TryGet(out var callback, out var distrust))
                return await RefuseAsync(tenant, distrust.Code, cancellation);
            if (!(await gates.EnterAsync(settings, Urgency.Person)).TryGet(out var passage, out var pause))
                return await RefuseAsync(tenant, pause.Code, cancellation);
            using var passing = passage;
            var answer = await oauth.Tokens.ExchangeAsync(callback, settings, cancellation);
            passage.Heard(answer);
            if (answer is not TokenAnswer.Issued { Tokens: var tokens })
                return await RefuseAsync(tenant, "exchange", cancellation);
            using (tokens)
            {
                var known = await oauth.Metadata.GetAsync(settings, cancellation);
                var read = known.TryGet(out var metadata, out var noMetadata)
                    ? await oauth.IdTokens.ReadAsync(tokens, callback, settings, metadata, cancellation)
                    : noMetadata;
                return read.TryGet(out var identity, out var forged)
                    ? new SignedIn(SubjectOf(tenant, identity), row.ReturnTo)
                    : await RefuseAsync(tenant, forged.Code, cancellation);
            }
        }
    }

    /// <summary>The person of an ID token: the issuer's own id, and of its claims those that the tenant names.</summary>
    private static Subject SubjectOf(Tenant tenant, IdentityToken identity)
    {
        var attributes = ImmutableSortedDictionary.CreateBuilder<string, ImmutableArray<string>>(StringComparer.Ordinal);
        foreach (var name in tenant.SignIn.Attributes)
        {
            if (identity.Claims.TryGetValue(name, out var values))
                attributes[name] = values;
        }
        // An address that the issuer says it did not verify proves nothing (OIDC Core section 5.1).
        if (identity.EmailVerified == false)
            attributes.Remove("email");
        return new Subject(new SubjectKey(tenant.Id, identity.Issuer, identity.Subject), attributes.ToImmutable());
    }

    private async Task<Refusal> RefuseAsync(Tenant tenant, string code, CancellationToken cancellation)
    {
        await store.RecordAsync(new AuditEvent(EventKind.SignInRefused, tenant.Id) { Code = code }, cancellation);
        return new Refusal(RefusalKind.Untrusted, "The sign-in could not be finished. Start again.") { Code = code };
    }
}
