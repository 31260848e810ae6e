using System.Text.RegularExpressions;
using Microsoft.EntityFrameworkCore;
using OpenIddict.Abstractions;
using OpenIddict.Server;
using static OpenIddict.Abstractions.OpenIddictConstants;
using static OpenIddict.Server.OpenIddictServerEvents;
using static OpenIddict.Server.OpenIddictServerHandlers;

namespace Postern.Sandbox.Issuers;

/// <summary>
/// Closes what OpenIddict 7.8 leaves open by default:
/// <list type="bullet">
/// <item>without a grace, a refresh token is spent once even by requests that race (<see cref="StrictRefresh"/>);</item>
/// <item>revoking one token of a grant ends them all, RFC 7009 section 2.1 (<see cref="RevocationCascade"/>);</item>
/// <item>code verifier and challenge have the syntax of RFC 7636 section 4 (<see cref="VerifierSyntax"/> and others);</item>
/// <item>asking for more than was granted is <c>invalid_scope</c> and not the end of the grant, RFC 6749 section 5.2
/// (<see cref="WiderScope"/>);</item>
/// <item>a client assertion is accepted once, OIDC Core section 9 (<see cref="AssertionOnce"/>).</item>
/// </list>
/// The <c>plain</c> method and the lax lifetimes are switched off where the server is configured.
/// </summary>
internal static partial class ProtocolGuards
{
    public static OpenIddictServerBuilder AddProtocolGuards(this OpenIddictServerBuilder server) => server
        .AddEventHandler<ProcessSignInContext>(handler => handler
            .UseScopedHandler<StrictRefresh>()
            .SetOrder(RedeemTokenEntry.Descriptor.Order - 500))
        .AddEventHandler<HandleRevocationRequestContext>(handler => handler
            .UseScopedHandler<RevocationCascade>()
            .SetOrder(Revocation.RevokeToken.Descriptor.Order + 500))
        .AddEventHandler<ValidateTokenRequestContext>(handler => handler
            .UseSingletonHandler<VerifierSyntax>()
            .SetOrder(Exchange.ValidateProofKeyForCodeExchangeParameters.Descriptor.Order + 500))
        .AddEventHandler<ValidateTokenRequestContext>(handler => handler
            .UseSingletonHandler<WiderScope>()
            .SetOrder(Exchange.ValidateGrantedScopes.Descriptor.Order - 500))
        .AddEventHandler<ValidateAuthorizationRequestContext>(handler => handler
            .UseSingletonHandler<ChallengeSyntax>()
            .SetOrder(Authentication.ValidateProofKeyForCodeExchangeParameters.Descriptor.Order + 500))
        .AddEventHandler<ValidatePushedAuthorizationRequestContext>(handler => handler
            .UseSingletonHandler<PushedChallengeSyntax>()
            .SetOrder(Authentication.ValidatePushedProofKeyForCodeExchangeParameters.Descriptor.Order + 500))
        .AddEventHandler<ProcessAuthenticationContext>(handler => handler
            .UseScopedHandler<AssertionOnce>()
            .SetOrder(ValidateClientAssertionIssuer.Descriptor.Order + 500));

    /// <summary>Takes <c>iss</c> (RFC 9207) out of authorization responses, and its announcement out of the metadata.</summary>
    public static OpenIddictServerBuilder WithoutIss(this OpenIddictServerBuilder server) => server
        .RemoveEventHandler(Authentication.AttachIssuer.Descriptor)
        .AddEventHandler<HandleConfigurationRequestContext>(handler => handler
            .UseInlineHandler(context =>
            {
                context.Metadata.Remove(Metadata.AuthorizationResponseIssParameterSupported);
                return ValueTask.CompletedTask;
            })
            .SetOrder(Discovery.AttachAdditionalMetadata.Descriptor.Order + 500));

    /// <summary>RFC 7636 section 4.1: 43 to 128 unreserved characters.</summary>
    [GeneratedRegex("^[A-Za-z0-9._~-]{43,128}$(?!\n)")]
    private static partial Regex Verifier();

    /// <summary>RFC 7636 section 4.2 with S256: the base64url form of 32 bytes.</summary>
    [GeneratedRegex("^[A-Za-z0-9_-]{43}$(?!\n)")]
    private static partial Regex Challenge();

    private static bool IsChallenge(string? challenge) => challenge is null || Challenge().IsMatch(challenge);

    /// <summary>
    /// Redeems the refresh token before OpenIddict does, and minds the answer: OpenIddict ignores that it came second. Where there is a
    /// grace, second is as good as first: OpenIddict has found the token unspent, or spent within the grace.
    /// </summary>
    internal sealed class StrictRefresh(IOpenIddictTokenManager tokens) : IOpenIddictServerHandler<ProcessSignInContext>
    {
        public async ValueTask HandleAsync(ProcessSignInContext context)
        {
            if (context.EndpointType != OpenIddictServerEndpointType.Token || !context.Request.IsRefreshTokenGrantType())
            {
                return;
            }

            var authentication = context.Transaction.GetProperty<ProcessAuthenticationContext>(
                typeof(ProcessAuthenticationContext).FullName!);
            if (authentication?.RefreshTokenPrincipal?.GetTokenId() is not { } id
                || await tokens.FindByIdAsync(id, context.CancellationToken) is not { } token
                || (!await tokens.TryRedeemAsync(token, context.CancellationToken) && context.Options.RefreshTokenReuseLeeway is null))
            {
                context.Reject(Errors.InvalidGrant, "Refresh token is invalid");
            }
        }
    }

    /// <summary>Ends the whole family of a revoked token.</summary>
    internal sealed class RevocationCascade(IOpenIddictTokenManager tokens) : IOpenIddictServerHandler<HandleRevocationRequestContext>
    {
        public async ValueTask HandleAsync(HandleRevocationRequestContext context)
        {
            if (context.GenericTokenPrincipal?.GetAuthorizationId() is { } authorization)
            {
                await tokens.RevokeByAuthorizationIdAsync(authorization, context.CancellationToken);
            }
        }
    }

    /// <summary>Refuses a verifier that cannot be one; a short one can be guessed.</summary>
    internal sealed class VerifierSyntax : IOpenIddictServerHandler<ValidateTokenRequestContext>
    {
        public ValueTask HandleAsync(ValidateTokenRequestContext context)
        {
            if (context.Request.CodeVerifier is { } verifier && !Verifier().IsMatch(verifier))
            {
                context.Reject(Errors.InvalidGrant, "The code verifier must have 43 to 128 unreserved characters.");
            }

            return ValueTask.CompletedTask;
        }
    }

    /// <summary>Refuses a renewal that asks for a scope the person never granted.</summary>
    internal sealed class WiderScope : IOpenIddictServerHandler<ValidateTokenRequestContext>
    {
        public ValueTask HandleAsync(ValidateTokenRequestContext context)
        {
            if (context.RefreshTokenPrincipal is { } granted && context.Request.GetScopes().Except(granted.GetScopes()).Any())
            {
                context.Reject(Errors.InvalidScope, "The scope exceeds what was granted.");
            }

            return ValueTask.CompletedTask;
        }
    }

    /// <summary>Refuses a challenge that no S256 verifier can meet.</summary>
    internal sealed class ChallengeSyntax : IOpenIddictServerHandler<ValidateAuthorizationRequestContext>
    {
        public ValueTask HandleAsync(ValidateAuthorizationRequestContext context)
        {
            if (!IsChallenge(context.Request.CodeChallenge))
            {
                context.Reject(Errors.InvalidRequest, "The code challenge must be the base64url form of a SHA-256.");
            }

            return ValueTask.CompletedTask;
        }
    }

    /// <summary>The same for pushed requests.</summary>
    internal sealed class PushedChallengeSyntax : IOpenIddictServerHandler<ValidatePushedAuthorizationRequestContext>
    {
        public ValueTask HandleAsync(ValidatePushedAuthorizationRequestContext context)
        {
            if (!IsChallenge(context.Request.CodeChallenge))
            {
                context.Reject(Errors.InvalidRequest, "The code challenge must be the base64url form of a SHA-256.");
            }

            return ValueTask.CompletedTask;
        }
    }

    /// <summary>Refuses a client assertion whose <c>jti</c> was seen before; the primary key of the table is the judge of a race.</summary>
    internal sealed class AssertionOnce(IssuerStore store, TimeProvider time) : IOpenIddictServerHandler<ProcessAuthenticationContext>
    {
        public async ValueTask HandleAsync(ProcessAuthenticationContext context)
        {
            if (context.ClientAssertionPrincipal is not { } assertion)
            {
                return;
            }

            if (assertion.GetClaim(Claims.JwtId) is not { Length: > 0 } id || assertion.GetClaim(Claims.Subject) is not { } client
                || assertion.GetExpirationDate() is not { } expires)
            {
                context.Reject(Errors.InvalidClient, "The client assertion must carry jti, sub and exp.");
                return;
            }

            var now = time.GetUtcNow().ToUnixTimeSeconds();
            await store.SeenAssertions.Where(seen => seen.ExpiresAt < now).ExecuteDeleteAsync(context.CancellationToken);
            store.SeenAssertions.Add(new SeenAssertion { Client = client, Id = id, ExpiresAt = expires.ToUnixTimeSeconds() });
            try
            {
                await store.SaveChangesAsync(context.CancellationToken);
            }
            catch (DbUpdateException)
            {
                context.Reject(Errors.InvalidClient, "The client assertion was used before.");
            }
            finally
            {
                store.ChangeTracker.Clear();
            }
        }
    }
}
