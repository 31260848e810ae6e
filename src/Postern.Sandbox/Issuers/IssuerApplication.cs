using Microsoft.AspNetCore.Authentication.Cookies;
using Microsoft.AspNetCore.DataProtection;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.DependencyInjection.Extensions;
using OpenIddict.Abstractions;
using OpenIddict.Server;
using Postern.Sandbox.Control;
using Postern.Sandbox.Hosting;

namespace Postern.Sandbox.Issuers;

/// <summary>What all issuers of a server share.</summary>
internal sealed record IssuerEnvironment(
    string DataDirectory,
    IssuerAddress Address,
    SandboxAdditions Additions,
    LiveLifetimes Lifetimes,
    FaultScript Faults,
    TrafficLog Log,
    SecretsLog Secrets,
    TimeSpan RefreshGrace,
    TimeProvider Time,
    ILoggerFactory Loggers);

/// <summary>Composes the web application of one issuer.</summary>
internal static class IssuerApplication
{
    /// <summary>RFC 9126 section 2.2 leaves it open; a client that has pushed a request sends the browser off at once.</summary>
    private static readonly TimeSpan PushedRequestLifetime = TimeSpan.FromSeconds(90);

    /// <summary>Builds the application; it listens to <paramref name="server"/> alone.</summary>
    public static WebApplication Build(IssuerProfile profile, IssuerEnvironment environment, MountedServer server)
    {
        var builder = WebApplication.CreateEmptyBuilder(
            new WebApplicationOptions { ApplicationName = typeof(IssuerApplication).Assembly.GetName().Name });
        var services = builder.Services;
        var clients = environment.Additions.AllClients().Where(client => client.Issuer == profile.Id).ToList();
        services.Replace(ServiceDescriptor.Singleton<IServer>(server));
        services.Replace(ServiceDescriptor.Singleton<IHostLifetime, QuietLifetime>());
        services.Replace(ServiceDescriptor.Singleton(environment.Loggers));
        services.AddSingleton(profile).AddSingleton(environment.Address).AddSingleton(environment.Lifetimes)
            .AddSingleton(environment.Faults).AddSingleton(environment.Log).AddSingleton(environment.Secrets)
            .AddSingleton(environment.Time)
            .AddSingleton(new IssuerDirectory(profile, environment.Additions.AllUsers()))
            .AddSingleton<IReadOnlyList<SandboxClient>>(clients)
            .AddSingleton<IssuedPrincipal>().AddSingleton<BackChannel>().AddSingleton<LogoutEndpoint>()
            .AddScoped<AuthorizeEndpoint>().AddScoped<TokenEndpoint>().AddScoped<TokenMint>().AddScoped<ClientRegistrar>();
        services.AddRouting();
        AddSessions(services, profile, environment.DataDirectory);
        AddAuthorizationServer(services, profile, environment);

        var app = builder.Build();
        app.UseMiddleware<BackChannel>();
        app.UseAuthentication();
        Map(app, profile);
        return app;
    }

    private static void AddSessions(IServiceCollection services, IssuerProfile profile, string directory)
    {
        services.AddDataProtection().SetApplicationName(profile.Cookie)
            .PersistKeysToFileSystem(Directory.CreateDirectory(Path.Combine(directory, profile.Id + ".cookies")));
        services.AddAuthentication(CookieAuthenticationDefaults.AuthenticationScheme).AddCookie(cookie =>
        {
            cookie.Cookie.Name = profile.Cookie;
            cookie.Cookie.Path = profile.Path;
            cookie.Cookie.HttpOnly = true;
            // Lax: the browser comes from the client's site, and must be known. The sandbox speaks plain HTTP on loopback.
            cookie.Cookie.SameSite = SameSiteMode.Lax;
            cookie.Cookie.SecurePolicy = CookieSecurePolicy.SameAsRequest;
            cookie.ExpireTimeSpan = TimeSpan.FromHours(12);
        });
    }

    private static void AddAuthorizationServer(IServiceCollection services, IssuerProfile profile, IssuerEnvironment environment)
    {
        var keys = IssuerKeys.LoadOrCreate(environment.DataDirectory, profile);
        services.AddDbContext<IssuerStore>(store =>
            store.UseSqlite(IssuerStore.ConnectionString(environment.DataDirectory, profile)).UseOpenIddict());
        services.AddOpenIddict()
            .AddCore(core => core.UseEntityFrameworkCore().UseDbContext<IssuerStore>())
            .AddServer(server =>
            {
                Describe(server, profile, environment.Address);
                server.SetRefreshTokenReuseLeeway(environment.RefreshGrace > TimeSpan.Zero ? environment.RefreshGrace : null);
                server.AddSigningKey(keys.Signing).AddEncryptionKey(keys.Encryption).DisableAccessTokenEncryption();
                server.AddProtocolGuards();
                if (environment.Additions.WithoutIss.Contains(profile.Id))
                {
                    server.WithoutIss();
                }

                server.AddEventHandler<OpenIddictServerEvents.ApplyTokenResponseContext>(handler => handler
                    .UseSingletonHandler<TokenMint.KeepResponse>().SetOrder(int.MinValue));
                var host = server.UseAspNetCore()
                    .DisableTransportSecurityRequirement()
                    .EnableAuthorizationEndpointPassthrough().EnableTokenEndpointPassthrough().EnableErrorPassthrough();
                if (profile.UserInfo is not null)
                {
                    host.EnableUserInfoEndpointPassthrough();
                }

                if (profile.Logout is not null)
                {
                    host.EnableEndSessionEndpointPassthrough();
                }

                server.Configure(options => options.TimeProvider = environment.Time);
            })
            .AddValidation(validation =>
            {
                validation.UseLocalServer();
                // A token that reads well may have been revoked since.
                validation.EnableTokenEntryValidation().EnableAuthorizationEntryValidation();
                validation.Configure(options => options.TimeProvider = environment.Time);
            });
    }

    private static void Describe(OpenIddictServerBuilder server, IssuerProfile profile, IssuerAddress address)
    {
        server.SetIssuer(address.Origin + profile.Path)
            .SetConfigurationEndpointUris([.. profile.Metadata])
            .SetJsonWebKeySetEndpointUris(profile.Jwks)
            .SetAuthorizationEndpointUris(profile.Authorize)
            .SetTokenEndpointUris(profile.Token)
            .AllowAuthorizationCodeFlow()
            .RequireProofKeyForCodeExchange()
            .RegisterScopes([.. profile.Scopes])
            .RegisterClaims("sub", "name", "email", "auth_time");
        if (profile.Par is { } par)
        {
            server.SetPushedAuthorizationEndpointUris(par);
        }

        if (profile.Revoke is { } revoke)
        {
            server.SetRevocationEndpointUris(revoke);
        }

        if (profile.Introspect is { } introspect)
        {
            server.SetIntrospectionEndpointUris(introspect);
        }

        if (profile.UserInfo is { } userInfo)
        {
            server.SetUserInfoEndpointUris(userInfo);
        }

        if (profile.Logout is { } logout)
        {
            server.SetEndSessionEndpointUris(logout);
        }

        if (profile.OpensPlatform)
        {
            server.AllowClientCredentialsFlow();
        }

        if (profile.Refreshes)
        {
            server.AllowRefreshTokenFlow().UseReferenceRefreshTokens();
        }

        if (!profile.SlidingRefresh)
        {
            server.DisableSlidingRefreshTokenExpiration();
        }

        if (profile.OpaqueAccessTokens)
        {
            server.UseReferenceAccessTokens();
        }

        server.Configure(options =>
        {
            options.CodeChallengeMethods.Remove(OpenIddictConstants.CodeChallengeMethods.Plain);
            options.RequestTokenLifetime = PushedRequestLifetime;
        });
    }

    private static void Map(WebApplication app, IssuerProfile profile)
    {
        string[] browser = [HttpMethods.Get, HttpMethods.Post];
        app.MapMethods(profile.Authorize, browser, (HttpContext context, AuthorizeEndpoint endpoint) => endpoint.AuthorizeAsync(context));
        app.MapPost(profile.SignIn, (HttpContext context, AuthorizeEndpoint endpoint) => endpoint.SignInAsync(context));
        app.MapPost(profile.Token, (HttpContext context, TokenEndpoint endpoint) => endpoint.IssueAsync(context));
        if (profile.UserInfo is { } userInfo)
        {
            app.MapMethods(userInfo, browser, (HttpContext context, TokenEndpoint endpoint) => endpoint.UserInfoAsync(context));
        }

        if (profile.Logout is { } logout)
        {
            app.MapMethods(logout, browser, (HttpContext context, LogoutEndpoint endpoint) => endpoint.LogOutAsync(context));
        }
    }
}
