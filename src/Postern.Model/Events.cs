using System.Collections.Immutable;

namespace Postern.Model;

/// <summary>
/// Everything Postern can report, and nothing else. Log, metric, audit and trace are listeners of this one list; its numbers are
/// stored, so a value is never reused.
/// </summary>
public enum EventKind
{
    /// <summary>A person signed in to the portal.</summary>
    SignedIn = 100,
    /// <summary>A sign-in was refused; the code says why.</summary>
    SignInRefused = 101,
    /// <summary>A session ended by sign-out.</summary>
    SignedOut = 102,
    /// <summary>A session row was refused: its MAC does not fit (edited in the database).</summary>
    SessionRefused = 103,
    /// <summary>A host application got an embed code.</summary>
    EmbedCodeIssued = 110,
    /// <summary>A host application was refused an embed code.</summary>
    EmbedCodeRefused = 111,
    /// <summary>A frame redeemed its code and nonce for a session.</summary>
    FrameOpened = 112,
    /// <summary>A frame's code was refused: unknown, used, late, or not this frame's nonce.</summary>
    FrameRefused = 113,
    /// <summary>A connect began.</summary>
    ConnectBegun = 200,
    /// <summary>The browser was sent to the authorization server.</summary>
    ConnectRedirected = 201,
    /// <summary>A connect was refused: forged, replayed, mixed up, late or failed; the code says which.</summary>
    ConnectRefused = 202,
    /// <summary>The person denied consent.</summary>
    ConnectDenied = 203,
    /// <summary>Somebody else consented; nothing was stored.</summary>
    ConnectMismatched = 204,
    /// <summary>Tokens were issued and stored, waiting for the frame that asked.</summary>
    TokensIssued = 205,
    /// <summary>The asking frame confirmed; the grant is active.</summary>
    GrantConfirmed = 206,
    /// <summary>Nobody confirmed in time; the grant was revoked.</summary>
    GrantAbandoned = 207,
    /// <summary>A data access agreement was accepted.</summary>
    AgreementAccepted = 208,
    /// <summary>A node claimed a renewal.</summary>
    RenewalClaimed = 300,
    /// <summary>A node is about to send the refresh token.</summary>
    RenewalSending = 301,
    /// <summary>A new pair was stored.</summary>
    TokensRenewed = 302,
    /// <summary>A renewal failed and the grant stands; it is tried again later.</summary>
    RenewalFailed = 303,
    /// <summary>A renewal was under way when its node died or its answer was lost; nobody knows whether the token was spent.</summary>
    RenewalUncertain = 304,
    /// <summary>The authorization server ended the grant; the person must connect again.</summary>
    GrantEnded = 305,
    /// <summary>A claim was given up before anything was sent.</summary>
    RenewalAbandoned = 306,
    /// <summary>A grant was marked revoked: no query starts after this.</summary>
    GrantRevoked = 400,
    /// <summary>The authorization server confirmed the revocation.</summary>
    ProviderRevoked = 401,
    /// <summary>The authorization server could not be told yet; it is tried again.</summary>
    ProviderRevocationFailed = 402,
    /// <summary>The authorization server has no revocation endpoint.</summary>
    ProviderCannotRevoke = 403,
    /// <summary>An operator lifted the revocation of a service connection's grant: a new one may be made.</summary>
    RevocationLifted = 404,
    /// <summary>A query was refused before any token was opened.</summary>
    QueryRefused = 500,
    /// <summary>A query is about to run: written before the token is opened.</summary>
    QueryStarted = 501,
    /// <summary>A query's rows were delivered.</summary>
    QueryFinished = 502,
    /// <summary>A query failed.</summary>
    QueryFailed = 503,
    /// <summary>A query was cancelled.</summary>
    QueryCancelled = 504,
    /// <summary>A tenant, connection, policy, embed key or workbook got a new revision, or was retired. (601 was never used.)</summary>
    DefinitionChanged = 600,
    /// <summary>A stored row was refused because its MAC does not fit: somebody edited the database.</summary>
    RowTampered = 602,
    /// <summary>A sealed token did not open where it should have: moved, edited, or its connection changed.</summary>
    RecordRefused = 603,
    /// <summary>A tenant's key was created.</summary>
    TenantKeyCreated = 610,
    /// <summary>A tenant got a new key version, which seals from now on; its records are moved under it next.</summary>
    TenantKeyRotated = 611,
    /// <summary>All records of a tenant that can be opened are under its newest key version.</summary>
    TenantKeySwept = 612,
    /// <summary>An old version of a tenant's key, which no record used any more, was removed.</summary>
    TenantKeyRetired = 613,
    /// <summary>A tenant's key was wrapped by another root key; its records did not change.</summary>
    TenantKeyRewrapped = 614,
    /// <summary>A root key was added to the keyring; it does not wrap yet.</summary>
    RootKeyAdded = 615,
    /// <summary>A root key is about to wrap instead of the one before it.</summary>
    RootKeyPromoted = 616,
    /// <summary>A root key that wraps no tenant's key any more is about to be destroyed.</summary>
    RootKeyRetired = 617,
    /// <summary>The shredding of a tenant began: its sessions ended.</summary>
    TenantShredBegun = 620,
    /// <summary>Every version of a tenant's key was destroyed; nothing of the tenant can be opened any more, and no new key is made.</summary>
    TenantShredded = 621,
    /// <summary>A receipt of a shredding was issued; its digest is here.</summary>
    ShredReceiptIssued = 622,
    /// <summary>A node started.</summary>
    NodeStarted = 700,
    /// <summary>A node stopped in good order.</summary>
    NodeStopped = 701,
    /// <summary>A query run was closed because its node died.</summary>
    QueryLost = 702,
}

/// <summary>One audit record before it gets its place in the log. Holds ids, names, counts and codes; never a secret or SQL parameter.</summary>
/// <param name="Kind">What happened.</param>
/// <param name="Tenant">To whose log it belongs.</param>
public sealed record AuditEvent(EventKind Kind, TenantId Tenant)
{
    /// <summary>The person it is about, or null for Postern itself.</summary>
    public SubjectKey? Subject { get; init; }

    /// <summary>The connection.</summary>
    public ConnectionId? Connection { get; init; }

    /// <summary>The grant.</summary>
    public GrantId? Grant { get; init; }

    /// <summary>The generation of the token pair.</summary>
    public int? Generation { get; init; }

    /// <summary>The identity at the platform.</summary>
    public PlatformPrincipal? Principal { get; init; }

    /// <summary>The query run.</summary>
    public QueryRunId? Query { get; init; }

    /// <summary>A short stable word: why it was refused, how it ended.</summary>
    public string? Code { get; init; }

    /// <summary>Who did it, when that is not the subject: an administrator, a policy, a node.</summary>
    public string? Actor { get; init; }

    /// <summary>Further facts: counts, names, revisions, hashes.</summary>
    public ImmutableSortedDictionary<string, string> Facts { get; init; } = ImmutableSortedDictionary<string, string>.Empty;

    /// <summary>The same event with one more fact; nothing is added for null.</summary>
    public AuditEvent With(string name, string? value) => value is null ? this : this with { Facts = Facts.SetItem(name, value) };

    /// <summary>The same event with one more number.</summary>
    public AuditEvent With(string name, long value) =>
        this with { Facts = Facts.SetItem(name, value.ToString(System.Globalization.CultureInfo.InvariantCulture)) };
}

/// <summary>A listener of events: the log and the metrics. The audit trail is written by the store, in the same transaction.</summary>
public interface IEventListener
{
    /// <summary>Called after the event was committed; must not block. What it throws is logged and reaches nobody else.</summary>
    void On(AuditEvent committed);
}
