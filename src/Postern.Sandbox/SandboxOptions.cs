namespace Postern.Sandbox;

/// <summary>Everything <see cref="SandboxServer.StartAsync"/> needs to know.</summary>
public sealed record SandboxOptions
{
    /// <summary>The loopback port; 0 takes a free one.</summary>
    /// <value>Defaults to 7310.</value>
    public int Port { get; init; } = 7310;

    /// <summary>
    /// The directory of the databases and keys; <see langword="null"/> means a temporary one that goes away with the server.
    /// </summary>
    public string? DataDirectory { get; init; }

    /// <summary>How long tokens and codes live, until <c>PUT /__sandbox/lifetimes</c> says otherwise.</summary>
    public Lifetimes Lifetimes { get; init; } = new();

    /// <summary>
    /// How long the issuers take a refresh token again after its first use, any number of times and each time for a working pair of its
    /// own, as Okta's leeway does. After that it ends its family as always.
    /// </summary>
    /// <value>Defaults to zero: a refresh token is taken once.</value>
    public TimeSpan RefreshGrace { get; init; }

    /// <summary>Users and clients besides those of <see cref="Demo"/>.</summary>
    public SandboxAdditions Additions { get; init; } = new();

    /// <summary>The clock of the issuers.</summary>
    public TimeProvider Time { get; init; } = TimeProvider.System;

    /// <summary>The services of the resource servers that live behind the same port.</summary>
    public Action<IServiceCollection>? AddResources { get; init; }

    /// <summary>The endpoints of the resource servers that live behind the same port.</summary>
    public Action<IEndpointRouteBuilder>? MapResources { get; init; }

    /// <summary>Where the server logs; <see langword="null"/> means nowhere.</summary>
    public Action<ILoggingBuilder>? Logging { get; init; }
}

/// <summary>How long what the issuers hand out stays alive, in seconds.</summary>
public sealed record Lifetimes
{
    /// <summary>Access tokens.</summary>
    /// <value>Defaults to 3600, as at Databricks.</value>
    public int AccessTokenSeconds { get; init; } = 3600;

    /// <summary>Refresh tokens. At the workspace issuer a renewal inherits the end; at the generic issuer it starts anew.</summary>
    /// <value>Defaults to 30 days.</value>
    public int RefreshTokenSeconds { get; init; } = 30 * 24 * 3600;

    /// <summary>Authorization codes (RFC 6749 section 4.1.2 asks for ten minutes at most, FAPI 2.0 for one).</summary>
    /// <value>Defaults to 60.</value>
    public int AuthorizationCodeSeconds { get; init; } = 60;

    /// <summary>Whether every lifetime is at least one second.</summary>
    public bool IsValid => AccessTokenSeconds > 0 && RefreshTokenSeconds > 0 && AuthorizationCodeSeconds > 0;
}

/// <summary>The lifetimes in force; replaced as a whole at run time.</summary>
/// <param name="initial">The lifetimes at the start.</param>
internal sealed class LiveLifetimes(Lifetimes initial)
{
    private volatile Lifetimes _current = initial;

    /// <summary>The lifetimes the next token gets.</summary>
    public Lifetimes Current
    {
        get => _current;
        set => _current = value;
    }
}
