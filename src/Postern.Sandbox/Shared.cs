namespace Postern.Sandbox;

/// <summary>A demo person, known to every issuer and to the platform.</summary>
/// <param name="Id">The short name that forms the issuer's <c>sub</c>, such as <c>ana</c> in <c>ws-ana</c>.</param>
/// <param name="Email">The address all issuers and the platform agree on.</param>
/// <param name="Name">The name shown to people.</param>
/// <param name="States">The states whose rows the person may see; <see langword="null"/> means all.</param>
/// <param name="Admin">Whether the person administers the demo company.</param>
public sealed record DemoUser(string Id, string Email, string Name, IReadOnlyList<string>? States, bool Admin);

/// <summary>Who stands behind a living access token.</summary>
/// <param name="Issuer">The id of the issuer of the token: <c>workspace</c> or <c>generic</c>.</param>
/// <param name="Subject">The token's <c>sub</c>.</param>
/// <param name="User">The person, or <see langword="null"/> for a service principal.</param>
/// <param name="Client">The client the token was issued to.</param>
/// <param name="Scopes">The scopes that were granted, not those requested.</param>
public sealed record Caller(string Issuer, string Subject, DemoUser? User, string Client, IReadOnlySet<string> Scopes);

/// <summary>Reads access tokens on behalf of the platform.</summary>
public interface ITokenReader
{
    /// <summary>Reads a token of any data issuer.</summary>
    /// <returns>The caller, or <see langword="null"/> when the token is dead, expired, revoked or unknown.</returns>
    ValueTask<Caller?> ReadAsync(string accessToken, CancellationToken cancellation);
}

/// <summary>The traffic log that tests and the demo read at <c>/__sandbox/log</c>.</summary>
public interface ITrafficLog
{
    /// <summary>Records a statement and the state it has reached.</summary>
    void Statement(Caller caller, string sql, string state);
}

/// <summary>Faults on demand, queued at <c>/__sandbox/faults</c>.</summary>
public interface IFaultScript
{
    /// <summary>
    /// Applies the fault that is next in the queue for this place, if there is one for this phase. The platform calls it at each
    /// statement, poll and chunk request: once before the work (phase <c>before</c>) and once when the work is committed and the
    /// response has not started (phase <c>after</c>).
    /// </summary>
    /// <param name="where"><c>token</c>, <c>statement</c>, <c>poll</c> or <c>chunk</c>.</param>
    /// <param name="phase"><c>before</c> or <c>after</c>.</param>
    /// <param name="context">The request.</param>
    /// <returns><see langword="true"/> when the fault consumed the request: the response is written or the connection aborted.</returns>
    ValueTask<bool> ApplyAsync(string where, string phase, HttpContext context);
}
