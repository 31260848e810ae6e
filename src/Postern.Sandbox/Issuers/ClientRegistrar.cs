using Microsoft.IdentityModel.Tokens;
using OpenIddict.Abstractions;
using static OpenIddict.Abstractions.OpenIddictConstants;

namespace Postern.Sandbox.Issuers;

/// <summary>Registers the clients of one issuer, anew at each start so that a changed configuration takes effect.</summary>
internal sealed class ClientRegistrar(
    IssuerProfile profile, IReadOnlyList<SandboxClient> clients, IOpenIddictApplicationManager applications)
{
    public async Task RegisterAsync(CancellationToken cancellation)
    {
        foreach (var client in clients)
        {
            var descriptor = Describe(client);
            if (await applications.FindByClientIdAsync(client.Id, cancellation) is { } known)
            {
                await applications.UpdateAsync(known, descriptor, cancellation);
            }
            else
            {
                await applications.CreateAsync(descriptor, cancellation);
            }
        }
    }

    private OpenIddictApplicationDescriptor Describe(SandboxClient client)
    {
        var descriptor = new OpenIddictApplicationDescriptor
        {
            ClientId = client.Id,
            ClientSecret = client.Secret,
            ClientType = client.Secret is null && client.Jwks is null ? ClientTypes.Public : ClientTypes.Confidential,
            ConsentType = ConsentTypes.Explicit,
            DisplayName = client.Name ?? client.Id,
            JsonWebKeySet = client.Jwks is { } keys ? new JsonWebKeySet(keys.GetRawText()) : null,
        };
        descriptor.RedirectUris.UnionWith(client.RedirectUris.Select(uri => new Uri(uri)));
        descriptor.PostLogoutRedirectUris.UnionWith(client.PostLogoutRedirectUris.Select(uri => new Uri(uri)));
        descriptor.Permissions.UnionWith(Endpoints());
        descriptor.Permissions.UnionWith(client.Service
            ? [Permissions.GrantTypes.ClientCredentials]
            :
            [
                Permissions.GrantTypes.AuthorizationCode, Permissions.GrantTypes.RefreshToken,
                Permissions.ResponseTypes.Code, Permissions.Endpoints.Authorization,
            ]);
        descriptor.Permissions.UnionWith(
            (client.Scopes.Count > 0 ? client.Scopes : profile.Scopes).Select(scope => Permissions.Prefixes.Scope + scope));
        if (!client.Service)
        {
            descriptor.Requirements.Add(Requirements.Features.ProofKeyForCodeExchange);
        }

        return descriptor;
    }

    private IEnumerable<string> Endpoints()
    {
        yield return Permissions.Endpoints.Token;
        if (profile.Par is not null)
        {
            yield return Permissions.Endpoints.PushedAuthorization;
        }

        if (profile.Revoke is not null)
        {
            yield return Permissions.Endpoints.Revocation;
        }

        if (profile.Introspect is not null)
        {
            yield return Permissions.Endpoints.Introspection;
        }

        if (profile.Logout is not null)
        {
            yield return Permissions.Endpoints.EndSession;
        }
    }
}
