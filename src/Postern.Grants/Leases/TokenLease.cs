using Postern.Model;
using Postern.Policy;
using Postern.Store;

namespace Postern.Grants.Leases;

/// <summary>
/// The right to use one access token for one query run, still sealed. Only the grant desk makes one, out of a
/// <see cref="PermittedQuery"/>; only <see cref="GrantDesk.StartAsync"/> takes it further, and not without an intent event.
/// </summary>
public readonly struct TokenLease
{
    private readonly PermittedQuery? permitted;
    private readonly GrantRow? row;

    internal TokenLease(PermittedQuery permitted, GrantRow row)
    {
        this.permitted = permitted;
        this.row = row;
    }

    /// <summary>What was permitted.</summary>
    /// <exception cref="InvalidOperationException">This is the default value, which gives no right to anything.</exception>
    public PermittedQuery Permitted => permitted ?? throw None();

    /// <summary>The grant.</summary>
    public GrantId Grant => Row.Id;

    /// <summary>The generation of the token pair.</summary>
    public int Generation => Row.Generation;

    /// <summary>The identity at the platform that the query will run as.</summary>
    public PlatformPrincipal Principal => Row.Principal;

    internal GrantRow Row => row ?? throw None();

    private static InvalidOperationException None() => new("The default value is no lease. Only the grant desk makes one.");
}
