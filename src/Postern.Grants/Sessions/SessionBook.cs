using Postern.Grants.Renewal;
using Postern.Model;
using Postern.Store;
using Postern.Vault;

namespace Postern.Grants.Sessions;

/// <summary>
/// Sessions: opaque 256-bit cookies of which the database knows only the hash, each row under a MAC of the vault, so that neither a
/// stolen dump nor an edited row is a session.
/// </summary>
public sealed class SessionBook
{
    private static readonly TimeSpan TouchEvery = TimeSpan.FromMinutes(1);
    private readonly PosternStore store;
    private readonly RowMacs macs;
    private readonly SteadyClock clock;
    private readonly IChance chance;
    private readonly GrantOptions options;

    internal SessionBook(PosternStore store, RowMacs macs, SteadyClock clock, IChance chance, GrantOptions options)
    {
        this.store = store;
        this.macs = macs;
        this.clock = clock;
        this.chance = chance;
        this.options = options;
    }

    /// <summary>The live session of a cookie, or null. One whose MAC does not fit is an event and no session.</summary>
    /// <exception cref="VaultException">The key store does not answer, so nothing can be said of the session.</exception>
    public async ValueTask<Session?> FindAsync(TenantId tenant, string cookie, SessionKind kind, CancellationToken cancellation)
    {
        if (cookie.Length != SecretLength || await store.Sessions.FindAsync(tenant, SecretHash.Of(cookie), cancellation) is not { } row)
            return null;
        var now = await clock.NowAsync(cancellation);
        if (row.Kind != kind || !row.IsLive(now))
            return null;
        var judged = await macs.CheckAsync(row, cancellation);
        if (!judged.TryGet(out _, out var why))
        {
            // Nobody edited anything, and the session goes on when the key can be had again: "no session" would sign people out.
            if (why.IsKeyUnavailable())
                throw new VaultException(KeysUnavailable.Of(why));
            await store.RecordAsync(new AuditEvent(EventKind.SessionRefused, tenant) { Subject = row.Subject, Code = why.Code }, cancellation);
            return null;
        }
        var idle = kind == SessionKind.Portal ? options.PortalIdle : options.FrameIdle;
        if (row.IdleExpiresAt - now < idle - TouchEvery)
            row = await TouchAsync(row, now + idle, cancellation);
        return new Session(row, new Subject(row.Subject, AttributesJson.Read(row.Attributes)));
    }

    /// <summary>A portal session after a sign-in; the one that was there before ends, so that no session outlives a change of person.</summary>
    public async Task<OpenedSession> OpenPortalAsync(Subject subject, Session? before, CancellationToken cancellation)
    {
        var (row, cookie) = await NewAsync(subject, SessionKind.Portal, options.PortalIdle, options.PortalAbsolute, null, null, null, cancellation);
        List<Change> changes = [SessionChanges.Create(row)];
        if (before is not null)
            changes.Insert(0, SessionChanges.End(before.Subject.Key.Tenant, before.Id));
        var signedIn = new AuditEvent(EventKind.SignedIn, subject.Key.Tenant) { Subject = subject.Key };
        var result = await store.CommitAsync(changes, signedIn, null, cancellation);
        if (!result.Committed)
            await store.CommitAsync([SessionChanges.Create(row)], signedIn, null, cancellation);
        return new(new Session(row, subject), cookie);
    }

    /// <summary>Issues a code for one frame: bound to the challenge of its nonce, once, within a minute.</summary>
    public async Task<SecretText> IssueCodeAsync(EmbedKey key, Subject subject, WorkbookId workbook, string origin, string challenge, CancellationToken cancellation)
    {
        var code = chance.NewSecret();
        var now = await clock.NowAsync(cancellation);
        var row = new EmbedCodeRow(
            SecretHash.Of(code.Reveal()), subject.Key, key.Id, AttributesJson.Write(subject.Attributes), workbook, origin, challenge, now + options.EmbedCode);
        await store.CommitAsync(
            [EmbedCodeChanges.Issue(row with { Mac = await macs.OfAsync(row, cancellation) })],
            new AuditEvent(EventKind.EmbedCodeIssued, key.Tenant) { Subject = subject.Key }
                .With("workbook", workbook.Value).With("origin", origin).With("embedKey", key.Id),
            null, cancellation);
        return code;
    }

    /// <summary>Redeems a code with the nonce behind its challenge for the frame's session. Whatever is wrong, the answer is the same.</summary>
    public async Task<Outcome<OpenedSession>> RedeemCodeAsync(TenantId tenant, string code, string challenge, CancellationToken cancellation)
    {
        var hash = SecretHash.Of(code);
        if (code.Length != SecretLength || await store.EmbedCodes.FindAsync(tenant, hash, cancellation) is not { } issued)
            return await RefuseFrameAsync(tenant, null, "unknown", cancellation);
        if (issued.UsedAt is not null)
            return await RefuseFrameAsync(tenant, issued.Subject, "used", cancellation);
        if (!(await macs.CheckAsync(issued, cancellation)).TryGet(out _, out var tampered))
            return await RefuseTamperedAsync(issued, tampered, cancellation);

        var subject = new Subject(issued.Subject, AttributesJson.Read(issued.Attributes));
        var (row, cookie) = await NewAsync(
            subject, SessionKind.Frame, options.FrameIdle, options.FrameAbsolute, issued.Workbook, issued.EmbedKey, issued.Origin, cancellation);
        var opened = new AuditEvent(EventKind.FrameOpened, tenant) { Subject = subject.Key }
            .With("workbook", issued.Workbook.Value).With("origin", issued.Origin).With("embedKey", issued.EmbedKey);
        var result = await store.CommitAsync([EmbedCodeChanges.Redeem(tenant, hash, challenge), SessionChanges.Create(row)], opened, null, cancellation);
        if (result.Committed)
            return new OpenedSession(new Session(row, subject), cookie);
        var why = issued.UsedAt is not null ? "used"
            : issued.Challenge != challenge ? "nonce"
            : issued.ExpiresAt <= await clock.NowAsync(cancellation) ? "late" : "retired";
        return await RefuseFrameAsync(tenant, subject.Key, why, cancellation);
    }

    /// <summary>Ends a session; nothing happens when it ended already.</summary>
    public async Task EndAsync(Session session, CancellationToken cancellation) => await store.CommitAsync(
        [SessionChanges.End(session.Subject.Key.Tenant, session.Id)],
        new AuditEvent(EventKind.SignedOut, session.Subject.Key.Tenant) { Subject = session.Subject.Key }, null, cancellation);

    /// <summary>Ends every frame of a person, as their host asks.</summary>
    public async Task EndFramesAsync(SubjectKey subject, string actor, CancellationToken cancellation) => await store.CommitAsync(
        [SessionChanges.EndAllOf(subject, SessionKind.Frame)],
        new AuditEvent(EventKind.SignedOut, subject.Tenant) { Subject = subject, Actor = actor }, null, cancellation);

    // In whole milliseconds, as the store keeps times: the MAC covers it. Refused when another request was faster: then it is extended.
    private async Task<SessionRow> TouchAsync(SessionRow row, DateTimeOffset until, CancellationToken cancellation)
    {
        until = WholeMilliseconds(until < row.AbsoluteExpiresAt ? until : row.AbsoluteExpiresAt);
        var touched = row with { IdleExpiresAt = until };
        touched = touched with { Mac = await macs.OfAsync(touched, cancellation) };
        var result = await store.UpkeepAsync(SessionChanges.Touch(row, until, touched.Mac), cancellation);
        return result.Committed ? touched : row;
    }

    private async Task<Refusal> RefuseTamperedAsync(EmbedCodeRow row, Refusal why, CancellationToken cancellation)
    {
        if (why.IsKeyUnavailable())
            return KeysUnavailable.Of(why);
        await store.RecordAsync(
            new AuditEvent(EventKind.RowTampered, row.Subject.Tenant) { Subject = row.Subject, Code = why.Code }
                .With("table", "embed_codes").With("workbook", row.Workbook.Value).With("origin", row.Origin).With("embedKey", row.EmbedKey), cancellation);
        return await RefuseFrameAsync(row.Subject.Tenant, row.Subject, "tampered", cancellation);
    }

    private async Task<Refusal> RefuseFrameAsync(TenantId tenant, SubjectKey? subject, string code, CancellationToken cancellation)
    {
        await store.RecordAsync(new AuditEvent(EventKind.FrameRefused, tenant) { Subject = subject, Code = code }, cancellation);
        return new Refusal(RefusalKind.Unauthenticated, "This dashboard could not be opened. Reload the page to try again.") { Code = "embed-code" };
    }

    private async Task<(SessionRow Row, SecretText Cookie)> NewAsync(
        Subject subject, SessionKind kind, TimeSpan idle, TimeSpan absolute, WorkbookId? workbook, string? embedKey, string? origin, CancellationToken cancellation)
    {
        var cookie = chance.NewSecret();
        var now = await clock.NowAsync(cancellation);
        now = WholeMilliseconds(now);
        var row = new SessionRow(
            SecretHash.Of(cookie.Reveal()), subject.Key, kind, AttributesJson.Write(subject.Attributes), now, now + idle, now + absolute, [])
        {
            Workbook = workbook,
            EmbedKey = embedKey,
            Origin = origin,
        };
        return (row with { Mac = await macs.OfAsync(row, cancellation) }, cookie);
    }

    private const int SecretLength = 43;

    private static DateTimeOffset WholeMilliseconds(DateTimeOffset time) => DateTimeOffset.FromUnixTimeMilliseconds(time.ToUnixTimeMilliseconds());
}
