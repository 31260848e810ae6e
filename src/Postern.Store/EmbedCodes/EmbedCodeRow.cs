using Postern.Model;

namespace Postern.Store;

/// <summary>A code that a host's back end got for one frame.</summary>
/// <param name="Code">The code's hash.</param>
/// <param name="Subject">For whom; the authority is the embed key's.</param>
/// <param name="EmbedKey">The embed key.</param>
/// <param name="Attributes">What the host says of the person, see <see cref="AttributesJson"/>.</param>
/// <param name="Workbook">The one workbook.</param>
/// <param name="Origin">The host page's origin.</param>
/// <param name="Challenge">The hash of the nonce that the frame made.</param>
/// <param name="ExpiresAt">When it is too late.</param>
public sealed record EmbedCodeRow(
    SecretHash Code,
    SubjectKey Subject,
    string EmbedKey,
    string Attributes,
    WorkbookId Workbook,
    string Origin,
    string Challenge,
    DateTimeOffset ExpiresAt)
{
    /// <summary>The MAC over all of this, made and checked by the caller; null once redeemed.</summary>
    public byte[]? Mac { get; init; }

    /// <summary>When a frame redeemed it.</summary>
    public DateTimeOffset? UsedAt { get; init; }

    internal static EmbedCodeRow Read(Columns row) => new(
        row.Hash("code_hash"), row.Subject(), row.Text("embed_key"), row.Text("attributes"), WorkbookId.Parse(row.Text("workbook")),
        row.Text("origin"), row.Text("challenge"), row.Time("expires_at"))
    {
        UsedAt = row.TimeOrNull("used_at"),
        Mac = row.BytesOrNull("mac"),
    };
}
