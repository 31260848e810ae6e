using System.Diagnostics.CodeAnalysis;

namespace Postern.Model;

/// <summary>Why an expected answer is "no". Each kind is one problem type at the edge (<c>urn:postern:…</c>).</summary>
public enum RefusalKind
{
    /// <summary>The request itself is wrong; the detail says what to send instead.</summary>
    InvalidRequest,
    /// <summary>Nobody is signed in, or the session ended.</summary>
    Unauthenticated,
    /// <summary>Known, but not allowed.</summary>
    Forbidden,
    /// <summary>No such thing, or none that the caller may know of.</summary>
    NotFound,
    /// <summary>The person has to connect (again); <see cref="Refusal.Reconnect"/> says why.</summary>
    ReconnectRequired,
    /// <summary>Somebody else changed the same thing first; read again and decide again.</summary>
    Conflict,
    /// <summary>Too many; <see cref="Refusal.RetryAfter"/> says when.</summary>
    RateLimited,
    /// <summary>The authorization server does not answer; nothing is lost.</summary>
    AuthorizationServerUnavailable,
    /// <summary>The data platform does not answer.</summary>
    PlatformUnavailable,
    /// <summary>The platform ran the statement and it failed.</summary>
    QueryFailed,
    /// <summary>The query was cancelled.</summary>
    QueryCancelled,
    /// <summary>Postern itself cannot do it now (store, keys, sequencer).</summary>
    Unavailable,
    /// <summary>A protocol answer that must not be believed: forged, replayed, mixed up or malformed.</summary>
    Untrusted,
}

/// <summary>Why a person has to connect again.</summary>
public enum ReconnectReason
{
    /// <summary>Never connected.</summary>
    None,
    /// <summary>The authorization server ended the grant (<c>invalid_grant</c>) or its absolute session end passed.</summary>
    Expired,
    /// <summary>Revoked by the person, an administrator or a policy.</summary>
    Revoked,
    /// <summary>The person denied consent.</summary>
    Denied,
    /// <summary>A renewal was under way when its node died; the profile forbids trying the same token again.</summary>
    Uncertain,
    /// <summary>A needed scope was not granted.</summary>
    Scope,
    /// <summary>The connection's endpoint, issuer or client changed since the grant was given.</summary>
    Changed,
}

/// <summary>An expected "no", with words for the person who meets it. Never holds a token, code, SQL or driver text.</summary>
/// <param name="Kind">Which problem it is.</param>
/// <param name="Detail">One or two sentences: what happened and what to do.</param>
public sealed record Refusal(RefusalKind Kind, string Detail)
{
    /// <summary>When <see cref="Kind"/> is <see cref="RefusalKind.ReconnectRequired"/>: why.</summary>
    public ReconnectReason? Reconnect { get; init; }

    /// <summary>When trying again makes sense, if known.</summary>
    public TimeSpan? RetryAfter { get; init; }

    /// <summary>The connection it is about, if any.</summary>
    public ConnectionId? Connection { get; init; }

    /// <summary>A short stable word for events, metrics and tests, such as <c>state-unknown</c>.</summary>
    public string Code { get; init; } = Kind.ToString();
}

/// <summary>A refusal where a stage has no way to answer it; the edge answers it as if it had been returned.</summary>
/// <param name="refusal">Why.</param>
public abstract class RefusedException(Refusal refusal) : Exception(refusal.Detail)
{
    /// <summary>Why, with a stable code.</summary>
    public Refusal Refusal { get; } = refusal;
}

/// <summary>
/// The answer of a stage: a value or a refusal. Exceptions are for a broken world (a bug, a lost database), never for these.
/// </summary>
/// <typeparam name="T">What success carries.</typeparam>
public readonly struct Outcome<T> where T : notnull
{
    private readonly T? value;
    private readonly Refusal? refusal;

    private Outcome(T? value, Refusal? refusal)
    {
        this.value = value;
        this.refusal = refusal;
    }

    /// <summary>True with the value; false with the refusal.</summary>
    public bool TryGet([NotNullWhen(true)] out T? result, [NotNullWhen(false)] out Refusal? why)
    {
        result = value;
        why = refusal ?? (value is null ? new Refusal(RefusalKind.Unavailable, "No answer was given.") : null);
        return why is null;
    }

    /// <summary>The refusal, or null on success.</summary>
    public Refusal? Refusal => refusal;

    /// <summary>A success.</summary>
    public static implicit operator Outcome<T>(T value) => new(value, null);

    /// <summary>A refusal.</summary>
    public static implicit operator Outcome<T>(Refusal refusal) => new(default, refusal);

    /// <summary>A success, where the compiler needs it spelt out (interfaces do not convert implicitly).</summary>
    public static Outcome<T> Of(T value) => new(value, null);
}

/// <summary>The value of a success that carries nothing.</summary>
public readonly record struct Done;
