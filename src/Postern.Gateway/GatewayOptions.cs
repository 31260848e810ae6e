namespace Postern.Gateway;

/// <summary>What the gateway needs to know of where it runs.</summary>
public sealed record GatewayOptions
{
    /// <summary>The origin that browsers use; a tenant's origin has its own host and the same scheme and port.</summary>
    public required Uri PublicOrigin { get; init; }

    /// <summary>The folder of the built front end: <c>manifest.json</c> and <c>assets/</c>.</summary>
    public required string FrontEnd { get; init; }

    /// <value>The longest body of a browser's or host's call; 256 KiB.</value>
    public int MaxRequestBytes { get; init; } = 256 * 1024;
}
