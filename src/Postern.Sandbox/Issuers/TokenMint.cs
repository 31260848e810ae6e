using OpenIddict.Abstractions;
using OpenIddict.Server;

namespace Postern.Sandbox.Issuers;

/// <summary>
/// Makes tokens without a browser, for tests: the same pipeline as the token endpoint, entered after the judgement of the request, so
/// they are stored, revocable and otherwise like any other.
/// </summary>
internal sealed class TokenMint(
    IssuedPrincipal issued,
    IssuerDirectory directory,
    IReadOnlyList<SandboxClient> clients,
    IssuerAddress address,
    IOpenIddictServerFactory factory,
    IOpenIddictServerDispatcher dispatcher,
    TimeProvider time)
{
    // No endpoint accepts this grant type and no metadata names it.
    private const string GrantType = "urn:postern:sandbox:mint";

    private static readonly string Marker = typeof(TokenMint).FullName!;

    /// <summary>Makes tokens for a person, or for a client of its own when <paramref name="user"/> is <see langword="null"/>.</summary>
    /// <returns>The token response, or <see langword="null"/> when there is no such person or client.</returns>
    public async Task<OpenIddictResponse?> MintAsync(
        string? user, string client, IReadOnlyList<string> scopes, CancellationToken cancellation)
    {
        var person = directory.Find(user);
        if ((user is not null && person is null) || clients.All(known => known.Id != client))
        {
            return null;
        }

        var principal = person is null ? issued.ForClient(client, scopes) : issued.ForUser(person, scopes, time.GetUtcNow());
        principal.SetPresenters(client);
        var transaction = await factory.CreateTransactionAsync();
        transaction.CancellationToken = cancellation;
        transaction.EndpointType = OpenIddictServerEndpointType.Token;
        transaction.BaseUri = new Uri(address.Origin);
        transaction.Request = new OpenIddictRequest { ClientId = client, GrantType = GrantType };
        transaction.SetProperty(Marker, this);
        transaction.Response = new OpenIddictResponse();
        var signIn = new OpenIddictServerEvents.ProcessSignInContext(transaction) { Principal = principal };
        await dispatcher.DispatchAsync(signIn);
        return signIn.Response;
    }

    /// <summary>Keeps the response of a minting, which has no connection to be written to.</summary>
    internal sealed class KeepResponse : IOpenIddictServerHandler<OpenIddictServerEvents.ApplyTokenResponseContext>
    {
        public ValueTask HandleAsync(OpenIddictServerEvents.ApplyTokenResponseContext context)
        {
            if (context.Transaction.GetProperty<TokenMint>(Marker) is not null)
            {
                context.HandleRequest();
            }

            return ValueTask.CompletedTask;
        }
    }
}
