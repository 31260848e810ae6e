using Microsoft.Data.Sqlite;
using OpenIddict.Abstractions;
using OpenIddict.Validation;
using Postern.Sandbox.Hosting;
using static OpenIddict.Abstractions.OpenIddictConstants;

namespace Postern.Sandbox.Issuers;

/// <summary>A running issuer: its application, and what the control endpoints and the platform want of it.</summary>
internal sealed class Issuer : IAsyncDisposable
{
    private readonly WebApplication _application;
    private readonly MountedServer _server;
    private readonly string _connectionString;

    private Issuer(IssuerProfile profile, WebApplication application, MountedServer server, string connectionString)
    {
        Profile = profile;
        _application = application;
        _server = server;
        _connectionString = connectionString;
    }

    /// <summary>What the issuer is.</summary>
    public IssuerProfile Profile { get; }

    private IssuerDirectory Directory => _application.Services.GetRequiredService<IssuerDirectory>();

    /// <summary>Creates the database where it is missing, registers the clients and starts the application.</summary>
    public static async Task<Issuer> StartAsync(IssuerProfile profile, IssuerEnvironment environment, CancellationToken cancellation)
    {
        var server = new MountedServer();
        var application = IssuerApplication.Build(profile, environment, server);
        await using (var scope = application.Services.CreateAsyncScope())
        {
            await scope.ServiceProvider.GetRequiredService<IssuerStore>().PrepareAsync(cancellation);
            await scope.ServiceProvider.GetRequiredService<ClientRegistrar>().RegisterAsync(cancellation);
        }

        await application.StartAsync(cancellation);
        return new Issuer(profile, application, server, IssuerStore.ConnectionString(environment.DataDirectory, profile));
    }

    /// <summary>Answers a request that belongs to this issuer.</summary>
    public Task ServeAsync(HttpContext context) => _server.ServeAsync(context);

    /// <summary>Reads an access token of this issuer; <see langword="null"/> when it is not alive, or not one.</summary>
    public async Task<Caller?> ReadAsync(string accessToken, CancellationToken cancellation)
    {
        await using var scope = _application.Services.CreateAsyncScope();
        try
        {
            var principal = await scope.ServiceProvider.GetRequiredService<OpenIddictValidationService>()
                .ValidateAccessTokenAsync(accessToken, cancellation);
            var subject = principal.GetClaim(Claims.Subject)!;
            var client = principal.GetClaim(Claims.ClientId) ?? principal.GetPresenters().First();
            return new Caller(
                Profile.Id, subject, Directory.FindBySubject(subject), client, principal.GetScopes().ToHashSet(StringComparer.Ordinal));
        }
        catch (OpenIddictExceptions.ProtocolException)
        {
            return null;
        }
    }

    /// <summary>Makes tokens without a browser; <see langword="null"/> when there is no such person or client.</summary>
    public async Task<OpenIddictResponse?> MintAsync(
        string? user, string client, IReadOnlyList<string> scopes, CancellationToken cancellation)
    {
        await using var scope = _application.Services.CreateAsyncScope();
        return await scope.ServiceProvider.GetRequiredService<TokenMint>().MintAsync(user, client, scopes, cancellation);
    }

    /// <summary>Ends living tokens of a type, of one person or client or of everybody.</summary>
    /// <returns>How many there were.</returns>
    public async Task<long> EndAsync(string type, string? user, string? client, CancellationToken cancellation)
    {
        await using var scope = _application.Services.CreateAsyncScope();
        string? application = null;
        if (client is not null)
        {
            var applications = scope.ServiceProvider.GetRequiredService<IOpenIddictApplicationManager>();
            if (await applications.FindByClientIdAsync(client, cancellation) is not { } known)
            {
                return 0;
            }

            application = await applications.GetIdAsync(known, cancellation);
        }

        var subject = user is null ? null : Profile.SubjectPrefix + user;
        return await scope.ServiceProvider.GetRequiredService<IOpenIddictTokenManager>()
            .RevokeAsync(subject, application, Statuses.Valid, type, cancellation);
    }

    public async ValueTask DisposeAsync()
    {
        await _application.DisposeAsync();
        _server.Dispose();
        using var connection = new SqliteConnection(_connectionString);
        SqliteConnection.ClearPool(connection);
    }
}

/// <summary>The issuers of a server, once they run.</summary>
internal sealed class IssuerSet : ITokenReader
{
    private volatile IReadOnlyList<Issuer> _issuers = [];

    /// <summary>The running issuers; none before the server knows its own address.</summary>
    public IReadOnlyList<Issuer> Issuers
    {
        get => _issuers;
        set => _issuers = value;
    }

    /// <summary>The issuer with this id, or <see langword="null"/>.</summary>
    public Issuer? Find(string id) => _issuers.FirstOrDefault(issuer => issuer.Profile.Id == id);

    public async ValueTask<Caller?> ReadAsync(string accessToken, CancellationToken cancellation)
    {
        foreach (var issuer in _issuers.Where(issuer => issuer.Profile.OpensPlatform))
        {
            if (await issuer.ReadAsync(accessToken, cancellation) is { } caller)
            {
                return caller;
            }
        }

        return null;
    }
}
