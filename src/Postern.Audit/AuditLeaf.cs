using System.Buffers.Text;
using System.Collections.Immutable;
using System.Diagnostics.CodeAnalysis;
using System.Globalization;
using System.Security.Cryptography;
using System.Text.Json;
using System.Text.Json.Nodes;
using Postern.Model;

namespace Postern.Audit;

// A leaf is one event as it lies in the log.
//
//   bytes  canonical JSON (RFC 8785) of an OCSF 1.8 event:
//          activity_id, activity_name, actor {app_uid, user {domain, org {uid}, uid}}, category_uid, class_uid,
//          metadata {event_code, product {name, vendor_name}, tenant_uid, uid, version}, severity_id, status_code, status_id,
//          time (Unix milliseconds), type_uid,
//          unmapped {connection, facts {…}, generation, grant, kind, node, principal {email, id, issuer, name}, query, salt}
//   salt   16 random bytes, base64url: without it a short event could be guessed from its hash once its text is erased
//   hash   SHA-256(0x00 ‖ bytes), as RFC 6962 section 2.1 hashes leaves
//
// The bytes are stored and hashed as they are; nobody has to make them again to verify.

/// <summary>An event with what the store adds when it commits it.</summary>
/// <param name="Event">The event.</param>
/// <param name="At">When, by the store's clock, in whole milliseconds.</param>
/// <param name="Uid">Its own id.</param>
/// <param name="Node">The node that committed it.</param>
public sealed record RecordedEvent(AuditEvent Event, DateTimeOffset At, Guid Uid, string Node);

/// <summary>The canonical bytes of one event and their hash.</summary>
/// <param name="Bytes">Canonical JSON, UTF-8.</param>
/// <param name="Hash">SHA-256 over 0x00 and the bytes, 32 bytes.</param>
public sealed record AuditLeaf(byte[] Bytes, byte[] Hash)
{
    /// <summary>The random bytes in every leaf.</summary>
    public const int SaltLength = 16;

    private const string SchemaVersion = "1.8.0";

    /// <summary>Makes the leaf of an event, with fresh salt.</summary>
    public static AuditLeaf Of(RecordedEvent recorded, IChance chance)
    {
        Span<byte> salt = stackalloc byte[SaltLength];
        chance.Fill(salt);
        return FromBytes(CanonicalJson.Write(Describe(recorded, Base64Url.EncodeToString(salt))));
    }

    /// <summary>The leaf of stored bytes.</summary>
    public static AuditLeaf FromBytes(byte[] bytes) => new(bytes, HashOf(bytes));

    /// <summary>SHA-256(0x00 ‖ bytes).</summary>
    public static byte[] HashOf(ReadOnlySpan<byte> bytes)
    {
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        hash.AppendData([0x00]);
        hash.AppendData(bytes);
        return hash.GetHashAndReset();
    }

    /// <summary>Reads the event back; false when the bytes are no leaf.</summary>
    public static bool TryRead(ReadOnlySpan<byte> bytes, [NotNullWhen(true)] out RecordedEvent? recorded)
    {
        try
        {
            recorded = Read(JsonNode.Parse(bytes) as JsonObject ?? throw new FormatException("A leaf is an object."));
            return true;
        }
        catch (Exception e) when (e is JsonException or FormatException or InvalidOperationException or KeyNotFoundException
            or ArgumentException or OverflowException)
        {
            recorded = null;
            return false;
        }
    }

    private static JsonObject Describe(RecordedEvent recorded, string salt)
    {
        var e = recorded.Event;
        var place = OcsfClass.Of(e.Kind);
        var unmapped = new JsonObject { ["kind"] = (int)e.Kind, ["node"] = recorded.Node, ["salt"] = salt };
        Add(unmapped, "connection", e.Connection?.Value);
        Add(unmapped, "grant", e.Grant?.ToString());
        Add(unmapped, "query", e.Query?.ToString());
        if (e.Generation is { } generation)
            unmapped["generation"] = generation;
        if (e.Principal is { } principal)
        {
            var described = new JsonObject { ["issuer"] = principal.Issuer, ["id"] = principal.Id, ["name"] = principal.Name };
            Add(described, "email", principal.Email);
            unmapped["principal"] = described;
        }
        if (!e.Facts.IsEmpty)
        {
            var facts = new JsonObject();
            foreach (var (name, value) in e.Facts)
                facts[name] = value;
            unmapped["facts"] = facts;
        }

        var actor = new JsonObject();
        Add(actor, "app_uid", e.Actor);
        if (e.Subject is { } subject)
        {
            actor["user"] = new JsonObject
            {
                ["uid"] = subject.Id,
                ["domain"] = subject.Authority,
                ["org"] = new JsonObject { ["uid"] = subject.Tenant.Value },
            };
        }

        var leaf = new JsonObject
        {
            ["activity_id"] = place.ActivityId,
            ["activity_name"] = e.Kind.ToString(),
            ["category_uid"] = place.CategoryUid,
            ["class_uid"] = place.ClassUid,
            ["type_uid"] = place.TypeUid,
            ["severity_id"] = place.SeverityOf(e.Kind),
            ["status_id"] = place.Succeeded ? 1 : 2,
            ["time"] = recorded.At.ToUnixTimeMilliseconds(),
            ["metadata"] = new JsonObject
            {
                ["event_code"] = e.Kind.ToString(),
                ["product"] = new JsonObject { ["name"] = "Postern", ["vendor_name"] = "Postern" },
                ["tenant_uid"] = e.Tenant.Value,
                ["uid"] = recorded.Uid.ToString("D"),
                ["version"] = SchemaVersion,
            },
            ["unmapped"] = unmapped,
        };
        Add(leaf, "status_code", e.Code);
        if (actor.Count > 0)
            leaf["actor"] = actor;
        return leaf;
    }

    private static RecordedEvent Read(JsonObject leaf)
    {
        var metadata = Member(leaf, "metadata");
        var unmapped = Member(leaf, "unmapped");
        var kind = (EventKind)(int)Present(unmapped, "kind");
        if (!Enum.IsDefined(kind))
            throw new FormatException("Unknown kind of event.");

        var read = new AuditEvent(kind, TenantId.Parse(Text(metadata, "tenant_uid") ?? ""))
        {
            Code = Text(leaf, "status_code"),
            Generation = (int?)unmapped["generation"],
            Connection = Text(unmapped, "connection") is { } connection ? ConnectionId.Parse(connection) : null,
            Grant = Text(unmapped, "grant") is { } grant ? new GrantId(Guid.Parse(grant, CultureInfo.InvariantCulture)) : null,
            Query = Text(unmapped, "query") is { } query ? new QueryRunId(Guid.Parse(query, CultureInfo.InvariantCulture)) : null,
        };
        if (leaf["actor"] is JsonObject actor)
        {
            read = read with { Actor = Text(actor, "app_uid") };
            if (actor["user"] is JsonObject user)
            {
                var tenant = TenantId.Parse(Text(Member(user, "org"), "uid") ?? "");
                read = read with { Subject = new SubjectKey(tenant, (string)Present(user, "domain")!, (string)Present(user, "uid")!) };
            }
        }
        if (unmapped["principal"] is JsonObject p)
        {
            read = read with
            {
                Principal = new((string)Present(p, "issuer")!, (string)Present(p, "id")!, (string)Present(p, "name")!, Text(p, "email")),
            };
        }
        if (unmapped["facts"] is JsonObject facts)
        {
            read = read with
            {
                Facts = facts.ToImmutableSortedDictionary(f => f.Key, f => (string?)f.Value ?? throw new FormatException("A fact is text.")),
            };
        }
        return new(
            read,
            DateTimeOffset.FromUnixTimeMilliseconds((long)Present(leaf, "time")),
            Guid.Parse((string)Present(metadata, "uid")!, CultureInfo.InvariantCulture),
            (string)Present(unmapped, "node")!);
    }

    private static void Add(JsonObject target, string name, string? value)
    {
        if (value is not null)
            target[name] = value;
    }

    private static JsonObject Member(JsonObject from, string name) =>
        from[name] as JsonObject ?? throw new FormatException($"Member '{name}' is missing.");

    private static JsonNode Present(JsonObject from, string name) => from[name] ?? throw new FormatException($"Member '{name}' is missing.");

    private static string? Text(JsonObject from, string name) => (string?)from[name];
}
