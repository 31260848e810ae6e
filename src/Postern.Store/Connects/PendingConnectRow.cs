using Postern.Model;

namespace Postern.Store;

/// <summary>How far a connect went; each step happens once.</summary>
public enum ConnectStage
{
    /// <summary>Asked for; the popup has not gone on yet.</summary>
    Begun = 0,

    /// <summary>The browser is at the authorization server.</summary>
    Redirected = 1,

    /// <summary>The callback came; whatever follows, it cannot come again.</summary>
    Used = 2,

    /// <summary>Given up.</summary>
    Failed = 3,
}

/// <summary>A connect under way. Its secrets lie sealed; handle, state and browser binding are hashes.</summary>
/// <param name="Id">Its id.</param>
/// <param name="Subject">Who connects.</param>
/// <param name="Attributes">The subject's attributes, see <see cref="AttributesJson"/>.</param>
/// <param name="Connection">What is connected.</param>
/// <param name="Session">The session that asked.</param>
/// <param name="Kind">Whether a portal page or a frame asked.</param>
/// <param name="HostOrigin">The host page's origin, shown to the person; null in the portal.</param>
/// <param name="HostDisplay">The host's display name.</param>
/// <param name="Handle">The hash of the handle that the popup takes from its opener.</param>
/// <param name="Sealed">Verifier, nonce and the like, sealed by the vault.</param>
/// <param name="Issuer">The authorization server asked.</param>
/// <param name="RedirectUri">The exact redirect URI.</param>
/// <param name="ExpiresAt">When it is too late.</param>
public sealed record PendingConnectRow(
    Guid Id,
    SubjectKey Subject,
    string Attributes,
    ConnectionId Connection,
    SecretHash Session,
    SessionKind Kind,
    string? HostOrigin,
    string? HostDisplay,
    SecretHash Handle,
    byte[] Sealed,
    string Issuer,
    string RedirectUri,
    DateTimeOffset ExpiresAt)
{
    /// <summary>The hash of <c>state</c>, once redirected.</summary>
    public SecretHash? State { get; init; }

    /// <summary>The hash of the browser binding, once redirected.</summary>
    public SecretHash? Binding { get; init; }

    /// <summary>The MAC over all of this and the stage, made and checked by the caller; null once used or given up.</summary>
    public byte[]? Mac { get; init; }

    /// <summary>How far it went.</summary>
    public ConnectStage Stage { get; init; }

    internal static PendingConnectRow Read(Columns row) => new(
        row.Id("id"), row.Subject(), row.Text("attributes"), row.Connection(), row.Hash("session_hash"), (SessionKind)row.Int("kind"),
        row.TextOrNull("host_origin"), row.TextOrNull("host_display"), row.Hash("handle_hash"), row.Bytes("sealed"), row.Text("issuer"),
        row.Text("redirect_uri"), row.Time("expires_at"))
    {
        State = row.HashOrNull("state_hash"),
        Binding = row.HashOrNull("binding_hash"),
        Stage = (ConnectStage)row.Int("stage"),
        Mac = row.BytesOrNull("mac"),
    };
}
