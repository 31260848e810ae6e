namespace Postern.OAuth;

/// <summary>The limits this client keeps, whatever a server does.</summary>
public sealed record OAuthOptions
{
    /// <value>The time one exchange with a server may take, from connecting to the last byte; 10 seconds.</value>
    public TimeSpan RequestTimeout { get; init; } = TimeSpan.FromSeconds(10);

    /// <value>The largest metadata document or key set; 1 MiB.</value>
    public int MaxDocumentBytes { get; init; } = 1024 * 1024;

    /// <value>The largest answer of a token, PAR or revocation endpoint; 256 KiB.</value>
    public int MaxAnswerBytes { get; init; } = 256 * 1024;

    /// <value>How long metadata and key sets are used before they are fetched again; 1 hour.</value>
    public TimeSpan DocumentFreshness { get; init; } = TimeSpan.FromHours(1);

    /// <value>How long a copy is used while its server fails to give a newer one; 24 hours.</value>
    public TimeSpan DocumentStaleness { get; init; } = TimeSpan.FromHours(24);

    /// <value>After a failed fetch, and between two fetches for unknown key ids, at least this much passes; 30 seconds.</value>
    public TimeSpan RefetchPause { get; init; } = TimeSpan.FromSeconds(30);

    /// <value>How many issuers are remembered; the least recently fetched is dropped first; 256.</value>
    public int MaxDocuments { get; init; } = 256;

    /// <value>How far a server's clock may differ from ours; 60 seconds.</value>
    public TimeSpan ClockSkew { get; init; } = TimeSpan.FromSeconds(60);

    /// <value>
    /// Whether an <c>iss</c> response parameter is accepted from a server whose metadata does not announce it. It is compared in any
    /// case; false refuses the response, as RFC 9207 section 2.4 advises.
    /// </value>
    public bool AcceptUnannouncedIss { get; init; }
}
