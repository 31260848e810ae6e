namespace Postern.Grants;

/// <summary>What of the token lifecycle is not as it should be on this node, though it goes on.</summary>
/// <param name="RestingServers">Authorization servers that get no requests, or one at a time, because they failed or asked for it.</param>
/// <param name="SpooledPairs">Renewed pairs that wait for the store.</param>
public sealed record GrantHealth(int RestingServers, int SpooledPairs);
