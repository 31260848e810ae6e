using System.Security.Cryptography;
using System.Text;
using Postern.Model;

namespace Postern.Store;

/// <summary>What is defined; the numbers are stored, and the feed's keys begin with the lower-case word.</summary>
public enum DefinitionKind
{
    /// <summary>A tenant.</summary>
    Tenant = 1,

    /// <summary>A connection.</summary>
    Connection = 2,

    /// <summary>A policy.</summary>
    Policy = 3,

    /// <summary>An embed key.</summary>
    EmbedKey = 4,

    /// <summary>A workbook.</summary>
    Workbook = 5,
}

/// <summary>One revision of a definition.</summary>
/// <param name="Tenant">Whose.</param>
/// <param name="Kind">What is defined.</param>
/// <param name="Name">Its name, a slug.</param>
/// <param name="Revision">Counts from 1.</param>
/// <param name="Body">JSON; empty when this revision retires the definition.</param>
/// <param name="Mac">The MAC over all of this, made and checked by the caller.</param>
/// <param name="CreatedAt">When it came into force.</param>
/// <param name="SupersededAt">When the next revision did; null while in force.</param>
public sealed record DefinitionRow(
    TenantId Tenant, DefinitionKind Kind, string Name, long Revision, string Body, byte[] Mac, DateTimeOffset CreatedAt, DateTimeOffset? SupersededAt)
{
    /// <summary>The maker of what the configuration file says.</summary>
    public const string Configuration = "configuration";

    /// <summary>
    /// Who put this revision, as events name the actor: <see cref="Configuration"/>, or an operator. Whoever made a definition may
    /// retire it; the configuration retires nothing that somebody else made.
    /// </summary>
    public string MadeBy { get; init; } = Configuration;

    /// <summary>True when this revision takes the definition out of force. A later revision may bring it back.</summary>
    public bool IsRetired => Body.Length == 0;

    /// <summary>The key that the feed names this definition by, such as <c>connection/lakehouse</c>.</summary>
    public static string FeedKey(DefinitionKind kind, string name) => $"{Word(kind)}/{name}";

    /// <summary>The SHA-256 of a body in lower-case hex, as <see cref="EventKind.DefinitionChanged"/> tells it.</summary>
    public static string DigestOf(string body) => Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(body)));

    private static string Word(DefinitionKind kind) => kind switch
    {
        DefinitionKind.Tenant => "tenant",
        DefinitionKind.Connection => "connection",
        DefinitionKind.Policy => "policy",
        DefinitionKind.EmbedKey => "embed-key",
        DefinitionKind.Workbook => "workbook",
        _ => throw new ArgumentOutOfRangeException(nameof(kind), kind, null),
    };

    internal static DefinitionRow Read(Columns row) => new(
        row.Tenant(), (DefinitionKind)row.Int("kind"), row.Text("name"), row.Number("revision"), row.Text("body"), row.Bytes("mac"),
        row.Time("created_at"), row.TimeOrNull("superseded_at"))
    {
        MadeBy = row.Text("made_by"),
    };
}
