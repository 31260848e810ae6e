using System.Collections.Immutable;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using CsCheck;
using Postern.Model;

namespace Postern.Audit.Tests;

public sealed class AuditLeafTests
{
    private static readonly TenantId Acme = TenantId.Parse("acme");
    private static readonly DateTimeOffset At = new(2026, 11, 22, 9, 0, 0, 123, TimeSpan.Zero);

    private static readonly Gen<string> Slugs = Gen.String[Gen.Char["abcdefghijklmnopqrstuvwxyz0123456789"], 1, 20];

    // Any text that UTF-16 allows, control characters and supplementary planes included.
    private static readonly Gen<string> Texts = Gen.OneOf(
        Gen.String[Gen.Char['\0', '\uD7FF'], 0, 30],
        Gen.Const("\"\\\b\f\n\r\t\u2028\u2029</script>"),
        Gen.Const("Zoë 🛂 日本"));

    private static readonly Gen<SubjectKey> Subjects =
        Gen.Select(Slugs, Texts, Texts, (tenant, authority, id) => new SubjectKey(TenantId.Parse(tenant), authority, id));

    private static readonly Gen<PlatformPrincipal> Principals =
        Gen.Select(Texts, Texts, Texts, Texts.Null(), (issuer, id, name, email) => new PlatformPrincipal(issuer, id, name, email));

    private static readonly Gen<ImmutableSortedDictionary<string, string>> AllFacts =
        Gen.Dictionary(Texts, Texts)[0, 6].Select(facts => facts.ToImmutableSortedDictionary(StringComparer.Ordinal));

    private static readonly Gen<RecordedEvent> Events =
        from kind in Gen.Enum<EventKind>()
        from tenant in Slugs
        from subject in Subjects.Null()
        from connection in Slugs.Null()
        from grant in Gen.Guid.Nullable()
        from generation in Gen.Int.Nullable()
        from principal in Principals.Null()
        from query in Gen.Guid.Nullable()
        from code in Texts.Null()
        from actor in Texts.Null()
        from facts in AllFacts
        from at in Gen.Long[0, 4_000_000_000_000]
        from uid in Gen.Guid
        from node in Texts
        select new RecordedEvent(
            new AuditEvent(kind, TenantId.Parse(tenant))
            {
                Subject = subject,
                Connection = connection is null ? null : ConnectionId.Parse(connection),
                Grant = grant is { } g ? new GrantId(g) : null,
                Generation = generation,
                Principal = principal,
                Query = query is { } q ? new QueryRunId(q) : null,
                Code = code,
                Actor = actor,
                Facts = facts,
            },
            DateTimeOffset.FromUnixTimeMilliseconds(at), uid, node);

    [Fact]
    public void Leaf_OfAnyEvent_RoundTrips() => Events.Sample(recorded =>
    {
        var leaf = AuditLeaf.Of(recorded, new SeededChance(1));

        Assert.True(AuditLeaf.TryRead(leaf.Bytes, out var read));
        // A dictionary compares by reference, so the facts are compared apart from the rest.
        Assert.Equal(recorded.Event.Facts, read.Event.Facts);
        Assert.Equal(recorded with { Event = recorded.Event with { Facts = read.Event.Facts } }, read);
    });

    [Fact]
    public void Leaf_EveryPropertyOfAnEvent_ChangesTheBytes()
    {
        var full = new AuditEvent(EventKind.QueryStarted, Acme)
        {
            Subject = new(Acme, "https://sign-in.example", "ana"),
            Connection = ConnectionId.Parse("lakehouse"),
            Grant = new(new Guid("11111111-1111-4111-8111-111111111111")),
            Generation = 3,
            Principal = new("https://issuer.example", "42", "ana@example.com"),
            Query = new(new Guid("22222222-2222-4222-8222-222222222222")),
            Code = "ok",
            Actor = "node one",
            Facts = ImmutableSortedDictionary<string, string>.Empty.Add("rows", "7"),
        };
        var whole = Write(full);
        AuditEvent[] without =
        [
            full with { Kind = EventKind.QueryFinished }, full with { Tenant = TenantId.Parse("other") }, full with { Subject = null },
            full with { Connection = null }, full with { Grant = null }, full with { Generation = null }, full with { Principal = null },
            full with { Query = null }, full with { Code = null }, full with { Actor = null },
            full with { Facts = ImmutableSortedDictionary<string, string>.Empty },
        ];

        // A property added to events later must be added to the leaf and to this list.
        Assert.Equal(typeof(AuditEvent).GetProperties().Length, without.Length);
        Assert.All(without, e => Assert.NotEqual(whole, Write(e)));
    }

    [Theory]
    [MemberData(nameof(Kinds))]
    public void Leaf_OfEveryKind_IsAnOcsfEvent(EventKind kind)
    {
        using var json = JsonDocument.Parse(Write(new AuditEvent(kind, Acme)));
        var root = json.RootElement;

        var classUid = root.GetProperty("class_uid").GetInt32();
        Assert.Contains(classUid, (int[])[3002, 3003, 3004, 3005, 6002, 6003, 6005]);
        Assert.Equal(classUid / 1000, root.GetProperty("category_uid").GetInt32());
        Assert.Equal(classUid * 100 + root.GetProperty("activity_id").GetInt32(), root.GetProperty("type_uid").GetInt32());
        Assert.InRange(root.GetProperty("severity_id").GetInt32(), 1, 6);
        Assert.InRange(root.GetProperty("status_id").GetInt32(), 1, 2);
        Assert.Equal(At.ToUnixTimeMilliseconds(), root.GetProperty("time").GetInt64());
        Assert.Equal("Postern", root.GetProperty("metadata").GetProperty("product").GetProperty("name").GetString());
        Assert.Equal("acme", root.GetProperty("metadata").GetProperty("tenant_uid").GetString());
    }

    public static TheoryData<EventKind> Kinds() => [.. Enum.GetValues<EventKind>()];

    [Fact]
    public void Leaf_IsCanonicalJson()
    {
        var text = Encoding.UTF8.GetString(Write(new AuditEvent(EventKind.SignedIn, Acme).With("b", "€\u001f\"").With("a", 1)));

        Assert.StartsWith("{\"activity_id\":1,\"activity_name\":\"SignedIn\",\"category_uid\":3,\"class_uid\":3002,\"metadata\":{", text, StringComparison.Ordinal);
        Assert.Contains("\"unmapped\":{\"facts\":{\"a\":\"1\",\"b\":\"€\\u001f\\\"\"},\"kind\":100,\"node\":\"one\",\"salt\":\"", text, StringComparison.Ordinal);
        Assert.DoesNotContain(' ', text);
    }

    [Fact]
    public void Leaf_OfTheSameEventTwice_HasAnotherHash()
    {
        var recorded = new RecordedEvent(new(EventKind.SignedIn, Acme), At, Guid.Empty, "one");
        var chance = new SeededChance(1);

        Assert.NotEqual(AuditLeaf.Of(recorded, chance).Hash, AuditLeaf.Of(recorded, chance).Hash);
    }

    [Fact]
    public void Leaf_WithALoneSurrogate_IsWrittenAllTheSame()
    {
        var bytes = Write(new AuditEvent(EventKind.SignInRefused, Acme) { Code = "a\uD800b" });

        Assert.True(AuditLeaf.TryRead(bytes, out var read));
        Assert.Equal("a\uFFFDb", read.Event.Code);
    }

    [Theory]
    [InlineData("")]
    [InlineData("null")]
    [InlineData("[]")]
    [InlineData("{}")]
    [InlineData("{\"metadata\":{},\"unmapped\":{\"kind\":1}}")]
    [InlineData("{\"metadata\":{\"tenant_uid\":\"acme\"},\"unmapped\":{\"kind\":\"x\"}}")]
    public void TryRead_OfSomethingElse_IsFalse(string text) => Assert.False(AuditLeaf.TryRead(Encoding.UTF8.GetBytes(text), out _));

    [Fact]
    public void HashOf_IsTheLeafHashOfRfc6962()
    {
        // RFC 6962 section 2.1: MTH({d(0)}) = SHA-256(0x00 || d(0)); the empty leaf's value is well known.
        Assert.Equal("6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d", Convert.ToHexStringLower(AuditLeaf.HashOf([])));
    }

    [Fact]
    public void ChainNext_IsSha256OfItsParts()
    {
        byte[] previous = [.. Enumerable.Repeat((byte)1, 32)], leaf = [.. Enumerable.Repeat((byte)2, 32)];

        Assert.Equal(SHA256.HashData([2, .. previous, .. leaf, 0, 0, 0, 0, 0, 0, 1, 0]), HashChain.Next(previous, leaf, 256));
    }

    private static byte[] Write(AuditEvent e) => AuditLeaf.Of(new(e, At, Guid.Empty, "one"), new SeededChance(1)).Bytes;
}
