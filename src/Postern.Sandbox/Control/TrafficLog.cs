using System.Security.Cryptography;
using System.Text;
using System.Text.Json.Serialization;

namespace Postern.Sandbox.Control;

/// <summary>A request at an issuer's back channel. Secrets appear as fingerprints only.</summary>
public sealed record IssuerRequest
{
    /// <summary>When the request was answered.</summary>
    public required DateTimeOffset At { get; init; }

    /// <summary>The id of the issuer.</summary>
    public required string Issuer { get; init; }

    /// <summary>The <c>client_id</c> the request named, authenticated or not.</summary>
    public string? Client { get; init; }

    /// <summary>The grant type of a token request.</summary>
    [JsonPropertyName("grant_type")]
    public string? GrantType { get; init; }

    /// <summary><c>ok</c>, the OAuth error code, or <c>fault:</c> and the kind of the fault that struck.</summary>
    public required string Outcome { get; init; }

    /// <summary>The fault that struck although the issuer did its work (<c>delay</c>, <c>drop-after-commit</c>).</summary>
    public string? Fault { get; init; }

    /// <summary>The refresh token that was presented (or revoked).</summary>
    public string? RefreshFingerprint { get; init; }

    /// <summary>Whose the presented refresh token is, where the issuer took it.</summary>
    public string? Subject { get; init; }

    /// <summary>The refresh token that was issued.</summary>
    public string? IssuedRefreshFingerprint { get; init; }

    /// <summary>The code challenge method of a pushed authorization request.</summary>
    public string? CodeChallengeMethod { get; init; }
}

/// <summary>A statement at the platform.</summary>
public sealed record StatementEntry(DateTimeOffset At, StatementCaller Caller, string Sql, string State);

/// <summary>Who ran a statement.</summary>
public sealed record StatementCaller(string Issuer, string Subject, string? User, string Client, IReadOnlyList<string> Scopes);

/// <summary>What <c>GET /__sandbox/log</c> answers.</summary>
public sealed record TrafficSnapshot(
    IReadOnlyList<IssuerRequest> TokenRequests,
    IReadOnlyList<IssuerRequest> PushedRequests,
    IReadOnlyList<IssuerRequest> Revocations,
    IReadOnlyList<IssuerRequest> Introspections,
    IReadOnlyList<StatementEntry> Statements);

/// <summary>The last few thousand requests, in memory, and a count of refresh tokens that goes back further.</summary>
internal sealed class TrafficLog(TimeProvider time) : ITrafficLog
{
    private const int Capacity = 10_000;
    private readonly Lock _gate = new();
    private readonly RefreshLedger _refreshes = new();
    private readonly Queue<(string Endpoint, IssuerRequest Request)> _requests = new();
    private readonly Queue<StatementEntry> _statements = new();

    /// <summary>The first 12 hexadecimal digits of the SHA-256 of a secret: enough to tell two apart, useless to spend.</summary>
    public static string? Fingerprint(string? secret) =>
        string.IsNullOrEmpty(secret) ? null : Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(secret)))[..12];

    public void Statement(Caller caller, string sql, string state)
    {
        var who = new StatementCaller(
            caller.Issuer, caller.Subject, caller.User?.Id, caller.Client, [.. caller.Scopes.Order(StringComparer.Ordinal)]);
        lock (_gate)
        {
            Append(_statements, new StatementEntry(time.GetUtcNow(), who, sql, state));
        }
    }

    /// <summary>Records a request at an issuer's endpoint (<c>token</c>, <c>par</c>, <c>revoke</c> or <c>introspect</c>).</summary>
    public void Request(string endpoint, IssuerRequest request)
    {
        lock (_gate)
        {
            Append(_requests, (endpoint, request));
            if (endpoint == "token" && request is { GrantType: "refresh_token", RefreshFingerprint: { } fingerprint })
            {
                _refreshes.Presented(request.Issuer, fingerprint, request.Subject, request.Outcome);
            }
        }
    }

    /// <summary>What was done with refresh tokens since the log was cleared.</summary>
    public RefreshCount CountRefreshes()
    {
        lock (_gate)
        {
            return _refreshes.Count();
        }
    }

    public TrafficSnapshot Read()
    {
        lock (_gate)
        {
            return new TrafficSnapshot(At("token"), At("par"), At("revoke"), At("introspect"), [.. _statements]);
        }
    }

    public void Clear()
    {
        lock (_gate)
        {
            _requests.Clear();
            _statements.Clear();
            _refreshes.Clear();
        }
    }

    private static void Append<T>(Queue<T> queue, T entry)
    {
        if (queue.Count == Capacity)
        {
            queue.Dequeue();
        }

        queue.Enqueue(entry);
    }

    private List<IssuerRequest> At(string endpoint) =>
        [.. _requests.Where(entry => entry.Endpoint == endpoint).Select(entry => entry.Request)];
}
