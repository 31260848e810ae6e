using Postern.Model;

namespace Postern.Audit;

/// <summary>
/// Where an event stands in the Open Cybersecurity Schema Framework 1.8: its class, activity and whether it tells of a success.
/// </summary>
/// <param name="ClassUid">3002 Authentication, 3003 Authorize Session, 3004 Entity Management, 3005 User Access, 6002 Application Lifecycle, 6003 API Activity, 6005 Datastore Activity.</param>
/// <param name="ActivityId">The activity within the class; 99 is "other", named by the event's kind.</param>
/// <param name="Succeeded">True for OCSF status 1, false for 2.</param>
public readonly record struct OcsfClass(int ClassUid, int ActivityId, bool Succeeded)
{
    /// <summary>The category: the thousands of the class.</summary>
    public int CategoryUid => ClassUid / 1000;

    /// <summary>Class and activity in one number.</summary>
    public int TypeUid => ClassUid * 100 + ActivityId;

    /// <summary>1 informational; 3 medium for refusals; 5 critical when somebody edited the database.</summary>
    public int SeverityOf(EventKind kind) => kind switch
    {
        EventKind.RowTampered or EventKind.RecordRefused or EventKind.SessionRefused => 5,
        _ => Succeeded ? 1 : 3,
    };

    /// <summary>The place of a kind.</summary>
    /// <exception cref="ArgumentOutOfRangeException">The kind is not in the closed list.</exception>
    public static OcsfClass Of(EventKind kind) => kind switch
    {
        EventKind.SignedIn => new(3002, 1, true),
        EventKind.SignInRefused => new(3002, 1, false),
        EventKind.SignedOut => new(3002, 2, true),
        EventKind.SessionRefused => new(3003, 99, false),
        EventKind.EmbedCodeIssued => new(3002, 3, true),
        EventKind.EmbedCodeRefused => new(3002, 3, false),
        EventKind.FrameOpened => new(3002, 1, true),
        EventKind.FrameRefused => new(3002, 1, false),
        EventKind.ConnectBegun or EventKind.ConnectRedirected => new(3002, 6, true),
        EventKind.ConnectRefused or EventKind.ConnectDenied or EventKind.ConnectMismatched => new(3002, 6, false),
        EventKind.TokensIssued => new(3002, 3, true),
        EventKind.GrantConfirmed => new(3005, 1, true),
        EventKind.GrantAbandoned => new(3005, 2, true),
        EventKind.AgreementAccepted or EventKind.RevocationLifted => new(3005, 99, true),
        EventKind.RenewalClaimed or EventKind.RenewalSending or EventKind.TokensRenewed or EventKind.RenewalAbandoned => new(3002, 5, true),
        EventKind.RenewalFailed or EventKind.RenewalUncertain => new(3002, 5, false),
        EventKind.GrantEnded or EventKind.GrantRevoked => new(3005, 2, true),
        EventKind.ProviderRevoked => new(3002, 2, true),
        EventKind.ProviderRevocationFailed or EventKind.ProviderCannotRevoke => new(3002, 2, false),
        EventKind.QueryStarted or EventKind.QueryFinished => new(6005, 4, true),
        EventKind.QueryRefused or EventKind.QueryFailed or EventKind.QueryCancelled or EventKind.QueryLost => new(6005, 4, false),
        EventKind.DefinitionChanged => new(3004, 3, true),
        EventKind.RowTampered or EventKind.RecordRefused => new(6003, 2, false),
        EventKind.TenantKeyCreated or EventKind.RootKeyAdded or EventKind.ShredReceiptIssued => new(6003, 1, true),
        EventKind.TenantKeyRotated or EventKind.TenantKeySwept or EventKind.TenantKeyRewrapped or EventKind.RootKeyPromoted
            or EventKind.TenantShredBegun => new(6003, 3, true),
        EventKind.TenantKeyRetired or EventKind.RootKeyRetired or EventKind.TenantShredded => new(6003, 4, true),
        EventKind.NodeStarted => new(6002, 3, true),
        EventKind.NodeStopped => new(6002, 4, true),
        _ => throw new ArgumentOutOfRangeException(nameof(kind), kind, "The list of events is closed; give the new kind its place here."),
    };
}
