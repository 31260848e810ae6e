using System.Text.Json;
using System.Text.Json.Serialization;
using OpenIddict.Abstractions;
using Postern.Sandbox.Issuers;

namespace Postern.Sandbox.Control;

/// <summary>What <c>POST /__sandbox/expire-access-tokens</c> takes; everybody's tokens without either.</summary>
[JsonUnmappedMemberHandling(JsonUnmappedMemberHandling.Disallow)]
public sealed record ExpireRequest(string? User, string? Client);

/// <summary>What <c>POST /__sandbox/revoke-refresh-tokens</c> takes; everybody's tokens without a user.</summary>
[JsonUnmappedMemberHandling(JsonUnmappedMemberHandling.Disallow)]
public sealed record RevokeRequest(string? User);

/// <summary>How many living tokens came to an end.</summary>
public sealed record EndedTokens(long Ended);

/// <summary>What <c>PUT /__sandbox/lifetimes</c> takes, in seconds; what is absent stays as it is.</summary>
[JsonUnmappedMemberHandling(JsonUnmappedMemberHandling.Disallow)]
public sealed record LifetimesRequest(int? AccessTokenSeconds, int? RefreshTokenSeconds, int? AuthorizationCodeSeconds);

/// <summary>
/// What <c>POST /__sandbox/mint</c> takes. Without a user the client acts for itself; without scopes it gets <c>openid sql
/// offline_access</c>.
/// </summary>
[JsonUnmappedMemberHandling(JsonUnmappedMemberHandling.Disallow)]
public sealed record MintRequest(string Issuer, string? User, string? Client, IReadOnlyList<string>? Scopes);

/// <summary>
/// The control endpoints, for tests and demonstrations. They need no credentials: the server listens on loopback only, and requests
/// that come from a page of another site are refused.
/// </summary>
internal static class ControlEndpoints
{
    // Its own and not the server's, which the platform shares.
    private static readonly JsonSerializerOptions Json = new(JsonSerializerDefaults.Web)
    {
        DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull,
    };

    private static readonly string[] DefaultScopes = ["openid", "sql", "offline_access"];

    public static void MapControl(this IEndpointRouteBuilder app)
    {
        var control = app.MapGroup("/__sandbox").AddEndpointFilter(async (invocation, next) =>
            RequestOrigin.IsOwn(invocation.HttpContext.Request)
                ? await next(invocation)
                : Results.Problem("The control endpoints are closed to pages of other sites.", statusCode: StatusCodes.Status403Forbidden));

        control.MapGet("log", (TrafficLog log) => Answer(log.Read()));
        control.MapDelete("log", (TrafficLog log) => log.Clear());
        control.MapGet("refreshes", (TrafficLog log) => Answer(log.CountRefreshes()));
        control.MapGet("faults", (FaultScript faults) => Answer(faults.Pending));
        control.MapDelete("faults", (FaultScript faults) => faults.Clear());
        control.MapPost("faults", AddFault);
        control.MapPost("expire-access-tokens", ExpireAsync);
        control.MapPost("revoke-refresh-tokens", RevokeAsync);
        control.MapGet("lifetimes", (LiveLifetimes lifetimes) => Answer(lifetimes.Current));
        control.MapPut("lifetimes", SetLifetimes);
        control.MapPost("mint", MintAsync);
    }

    private static IResult AddFault(Fault fault, FaultScript faults)
    {
        if (fault.Problem() is { } problem)
        {
            return Refuse(problem);
        }

        faults.Add(fault);
        return Answer(faults.Pending, StatusCodes.Status201Created);
    }

    private static async Task<EndedTokens> ExpireAsync(ExpireRequest? request, IssuerSet issuers, CancellationToken cancellation) =>
        await EndAsync(issuers, OpenIddictConstants.TokenTypeIdentifiers.AccessToken, request?.User, request?.Client, cancellation);

    private static async Task<EndedTokens> RevokeAsync(RevokeRequest? request, IssuerSet issuers, CancellationToken cancellation) =>
        await EndAsync(issuers, OpenIddictConstants.TokenTypeIdentifiers.RefreshToken, request?.User, client: null, cancellation);

    private static async Task<EndedTokens> EndAsync(
        IssuerSet issuers, string type, string? user, string? client, CancellationToken cancellation)
    {
        var ended = 0L;
        foreach (var issuer in issuers.Issuers.Where(issuer => issuer.Profile.OpensPlatform))
        {
            ended += await issuer.EndAsync(type, user, client, cancellation);
        }

        return new EndedTokens(ended);
    }

    private static IResult SetLifetimes(LifetimesRequest request, LiveLifetimes lifetimes)
    {
        var current = lifetimes.Current;
        var next = new Lifetimes
        {
            AccessTokenSeconds = request.AccessTokenSeconds ?? current.AccessTokenSeconds,
            RefreshTokenSeconds = request.RefreshTokenSeconds ?? current.RefreshTokenSeconds,
            AuthorizationCodeSeconds = request.AuthorizationCodeSeconds ?? current.AuthorizationCodeSeconds,
        };
        if (!next.IsValid)
        {
            return Refuse("Every lifetime is at least one second.");
        }

        lifetimes.Current = next;
        return Answer(next);
    }

    private static async Task<IResult> MintAsync(MintRequest request, IssuerSet issuers, HttpContext context)
    {
        if (issuers.Find(request.Issuer) is not { } issuer)
        {
            return Refuse($"'issuer' is one of {string.Join(", ", IssuerProfile.All.Select(profile => profile.Id))}.");
        }

        var scopes = request.Scopes ?? DefaultScopes;
        if (scopes.FirstOrDefault(scope => !issuer.Profile.Scopes.Contains(scope)) is { } unknown)
        {
            return Refuse($"The issuer has no scope '{unknown}'.");
        }

        var tokens = await issuer.MintAsync(request.User, request.Client ?? "postern", scopes, context.RequestAborted);
        if (tokens is null)
        {
            return Refuse("The issuer knows no such user or client.");
        }

        context.Response.Headers.CacheControl = "no-store";
        // OpenIddict's own converter: its ToString() redacts.
        return Results.Text(JsonSerializer.Serialize(tokens), "application/json");
    }

    private static IResult Answer<T>(T value, int status = StatusCodes.Status200OK) => Results.Json(value, Json, statusCode: status);

    private static IResult Refuse(string detail) => Results.Problem(detail, statusCode: StatusCodes.Status400BadRequest);
}
