namespace Postern.Model;

/// <summary>Where a grant stands.</summary>
public enum GrantState
{
    /// <summary>Tokens are stored; the frame that asked has not confirmed yet. No query uses it.</summary>
    Unconfirmed = 0,
    /// <summary>In use.</summary>
    Active = 1,
    /// <summary>Ended by the provider or a change; the person must connect again.</summary>
    Reconnect = 2,
    /// <summary>Revoked on purpose; no query starts with it.</summary>
    Revoked = 3,
}

/// <summary>Where a renewal stands; "claim before spend" (architecture, decision 2).</summary>
public enum RenewalState
{
    /// <summary>Nobody renews.</summary>
    Idle = 0,
    /// <summary>A node holds the claim; nothing was sent. After its deadline anyone may take over.</summary>
    Claimed = 1,
    /// <summary>The refresh token may be on its way. After its deadline the outcome is uncertain.</summary>
    Sending = 2,
}
