using Postern.Model;
using Postern.OAuth;

namespace Postern.Grants.Pacing;

/// <summary>
/// The right to send requests to one authorization server now. Say what came of each; dispose it, and what was not sent counts for
/// nothing, and what was sent besides counts too.
/// </summary>
internal sealed class Passage(IssuerGate gate, int requests, bool probe) : IDisposable
{
    private bool probe = probe;
    private int left = requests;

    /// <summary>True for the one request that finds out whether a server that failed answers again.</summary>
    public bool IsProbe => probe;

    /// <summary>The answer of a token endpoint. Any answer in the protocol's own words shows that the server is there.</summary>
    public void Heard(TokenAnswer answer)
    {
        left--;
        switch (answer)
        {
            case TokenAnswer.Unavailable { Kind: UnavailableKind.AddressRefused or UnavailableKind.Cancelled }:
                // Decided here, and no news of the server.
                break;
            case TokenAnswer.Unavailable { Status: 429 or 503 } told:
                Report(answered: false, told.RetryAfter);
                break;
            default:
                Report(answered: answer is not TokenAnswer.Unavailable, retryAfter: null);
                break;
        }
    }

    /// <summary>The server's metadata did not come; no token request was sent. What this connection's settings forbid is no news of the server.</summary>
    public void Heard(Refusal noMetadata)
    {
        if (noMetadata.Code == "metadata-unavailable")
            Report(answered: false, retryAfter: null);
    }

    /// <summary>
    /// The answer of a revocation endpoint. It opens no circuit: a revocation endpoint that is broken must not end renewals. Only a
    /// pause that the server asks for is kept.
    /// </summary>
    public void Heard(RevocationAnswer answer)
    {
        left--;
        if (answer is RevocationAnswer.Unavailable { Status: 429 or 503, RetryAfter: { } pause })
            gate.Pause(pause);
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        gate.Return(probe, left);
        (probe, left) = (false, 0);
    }

    private void Report(bool answered, TimeSpan? retryAfter)
    {
        gate.Report(probe, answered, retryAfter);
        probe = false;
    }
}
