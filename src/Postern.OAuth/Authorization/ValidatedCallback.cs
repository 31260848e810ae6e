using Postern.Model;

namespace Postern.OAuth;

/// <summary>
/// The ticket from the callback to the code exchange: made by <see cref="CallbackJudge"/> alone, exchanged once. It carries the
/// pending authorization it was judged against, so a code cannot meet another request's verifier or endpoint.
/// </summary>
public sealed class ValidatedCallback
{
    private SecretText? code;

    internal ValidatedCallback(SecretText code, PendingAuthorization pending)
    {
        this.code = code;
        Pending = pending;
    }

    /// <summary>What the callback was judged against.</summary>
    public PendingAuthorization Pending { get; }

    /// <summary>The code, once: a code is sent one time, whatever happens (RFC 6749 section 4.1.2).</summary>
    /// <exception cref="InvalidOperationException">The code was taken before.</exception>
    internal SecretText TakeCode() =>
        Interlocked.Exchange(ref code, null) ?? throw new InvalidOperationException("An authorization code is exchanged once.");

    /// <summary>The issuer only.</summary>
    public override string ToString() => $"ValidatedCallback {{ Issuer = {Pending.Issuer} }}";
}
