using Postern.Model;

namespace Postern.Store;

/// <summary>A person in one browser.</summary>
/// <param name="Id">The hash of the cookie's secret.</param>
/// <param name="Subject">Who.</param>
/// <param name="Kind">Portal or frame.</param>
/// <param name="Attributes">The subject's attributes, see <see cref="AttributesJson"/>.</param>
/// <param name="CreatedAt">When it began; the caller gives it because the MAC covers it.</param>
/// <param name="IdleExpiresAt">When it ends unless it is used; each move gives the row a new MAC.</param>
/// <param name="AbsoluteExpiresAt">When it ends in any case.</param>
/// <param name="Mac">The MAC over the columns that decide access, made and checked by the caller; null once ended.</param>
public sealed record SessionRow(
    SecretHash Id,
    SubjectKey Subject,
    SessionKind Kind,
    string Attributes,
    DateTimeOffset CreatedAt,
    DateTimeOffset IdleExpiresAt,
    DateTimeOffset AbsoluteExpiresAt,
    byte[]? Mac)
{
    /// <summary>The one workbook of a frame.</summary>
    public WorkbookId? Workbook { get; init; }

    /// <summary>The embed key that opened a frame.</summary>
    public string? EmbedKey { get; init; }

    /// <summary>The host page's origin of a frame.</summary>
    public string? Origin { get; init; }

    /// <summary>When it was ended on purpose.</summary>
    public DateTimeOffset? EndedAt { get; init; }

    /// <summary>True while it was not ended and no expiry passed.</summary>
    public bool IsLive(DateTimeOffset now) => EndedAt is null && IdleExpiresAt > now && AbsoluteExpiresAt > now;

    internal static SessionRow Read(Columns row) => new(
        row.Hash("id_hash"), row.Subject(), (SessionKind)row.Int("kind"), row.Text("attributes"), row.Time("created_at"),
        row.Time("idle_expires_at"), row.Time("absolute_expires_at"), row.BytesOrNull("mac"))
    {
        Workbook = row.TextOrNull("workbook") is { } workbook ? WorkbookId.Parse(workbook) : null,
        EmbedKey = row.TextOrNull("embed_key"),
        Origin = row.TextOrNull("origin"),
        EndedAt = row.TimeOrNull("ended_at"),
    };
}

/// <summary>A sign-in on its way to a session.</summary>
/// <param name="State">The hash of <c>state</c>.</param>
/// <param name="Tenant">Whose portal.</param>
/// <param name="Binding">The hash of the browser binding.</param>
/// <param name="Sealed">Verifier and nonce, sealed by the vault.</param>
/// <param name="ReturnTo">The local path to go on to.</param>
/// <param name="ExpiresAt">When it is too late.</param>
public sealed record SignInRow(
    SecretHash State, TenantId Tenant, SecretHash Binding, byte[] Sealed, string ReturnTo, DateTimeOffset ExpiresAt)
{
    /// <summary>When the callback used it.</summary>
    public DateTimeOffset? UsedAt { get; init; }

    internal static SignInRow Read(Columns row) => new(
        row.Hash("state_hash"), row.Tenant(), row.Hash("binding_hash"), row.Bytes("sealed"), row.Text("return_to"), row.Time("expires_at"))
    {
        UsedAt = row.TimeOrNull("used_at"),
    };
}
