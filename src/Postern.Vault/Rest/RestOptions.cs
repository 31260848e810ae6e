namespace Postern.Vault;

/// <summary>How a remote key store is reached.</summary>
public sealed record RestOptions
{
    /// <summary>Where the service is: https, or http to this machine alone.</summary>
    public required Uri Endpoint { get; init; }

    /// <summary>A file with the certificates (PEM) of the authorities that may sign the service's own; the system's authorities otherwise.</summary>
    /// <value>None.</value>
    public string? CertificateAuthorityFile { get; init; }

    /// <summary>The time of one attempt, connection included.</summary>
    /// <value>2 seconds.</value>
    public TimeSpan AttemptTimeout { get; init; } = TimeSpan.FromSeconds(2);

    /// <summary>How often a request is sent at most; again only after 429 and 5xx.</summary>
    /// <value>3.</value>
    public int Attempts { get; init; } = 3;

    /// <summary>True for https without credentials in the address, and for http to a loopback address or <c>localhost</c>.</summary>
    public static bool IsAcceptable(Uri endpoint) =>
        endpoint is { IsAbsoluteUri: true, UserInfo: "", Query: "", Fragment: "" }
        && (endpoint.Scheme == Uri.UriSchemeHttps || (endpoint.Scheme == Uri.UriSchemeHttp && endpoint.IsLoopback));

    /// <summary>Every error of these settings, each behind <paramref name="name"/>.</summary>
    internal IEnumerable<string> Validate(string name)
    {
        if (!IsAcceptable(Endpoint))
            yield return $"{name}.{nameof(Endpoint)}: write https://HOST; plain http is for this machine alone.";
        if (AttemptTimeout <= TimeSpan.Zero || AttemptTimeout > TimeSpan.FromSeconds(30))
            yield return $"{name}.{nameof(AttemptTimeout)}: must be more than zero and at most 30 seconds.";
        if (Attempts is < 1 or > 5)
            yield return $"{name}.{nameof(Attempts)}: must be 1 to 5.";
    }

    /// <summary>These settings for a path below another address, such as a token endpoint.</summary>
    internal RestOptions At(Uri endpoint) => this with { Endpoint = endpoint };
}
