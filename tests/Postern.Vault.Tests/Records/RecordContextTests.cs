using System.Security.Cryptography;
using Postern.Model;

namespace Postern.Vault.Tests;

/// <summary>A record opens where it was sealed and nowhere else.</summary>
public sealed class RecordContextTests : IDisposable
{
    private static readonly ConnectionId Other = ConnectionId.Parse("other");
    private static readonly GrantId OtherGrant = new(new Guid("0199a1b2-0000-7000-8000-000000000002"));
    private static readonly byte[] OtherDigest = SHA256.HashData("somewhere else"u8);

    private readonly World world = new();

    public void Dispose() => world.Dispose();

    [Fact]
    public async Task Record_InItsOwnContextMadeAgain_Opens()
    {
        var record = await world.SealAsync(RecordContexts.RefreshToken(World.Grant, World.Ana, World.Lake, 7, World.Digest));
        var again = RecordContexts.RefreshToken(World.Grant, World.Ana with { }, ConnectionId.Parse("lake"), 7, World.Digest.ToArray());
        Assert.Null(await world.OpenErrorAsync(again, record));
    }

    public static TheoryData<string> Fields => [.. Changed.Keys];

    private static readonly Dictionary<string, RecordContext> Changed = new()
    {
        ["kind"] = RecordContexts.AccessToken(World.Grant, World.Ana, World.Lake, 7, World.Digest),
        ["row"] = RecordContexts.RefreshToken(OtherGrant, World.Ana, World.Lake, 7, World.Digest),
        ["subject's authority"] = RecordContexts.RefreshToken(World.Grant, World.Ana with { Authority = "embed:skyline" }, World.Lake, 7, World.Digest),
        ["subject's id"] = RecordContexts.RefreshToken(World.Grant, World.Ana with { Id = "ben" }, World.Lake, 7, World.Digest),
        ["subject shifted"] = RecordContexts.RefreshToken(
            World.Grant, World.Ana with { Authority = World.Ana.Authority + "a", Id = "na" }, World.Lake, 7, World.Digest),
        ["connection"] = RecordContexts.RefreshToken(World.Grant, World.Ana, Other, 7, World.Digest),
        ["generation before"] = RecordContexts.RefreshToken(World.Grant, World.Ana, World.Lake, 6, World.Digest),
        ["generation after"] = RecordContexts.RefreshToken(World.Grant, World.Ana, World.Lake, 8, World.Digest),
        ["connection digest"] = RecordContexts.RefreshToken(World.Grant, World.Ana, World.Lake, 7, OtherDigest),
        ["pending connect"] = RecordContexts.PendingConnect(World.Grant.ToString(), World.Ana, World.Lake, World.Digest),
        ["client secret"] = RecordContexts.ClientSecret(World.Acme, World.Lake, 7, World.Digest),
        ["sign-in"] = RecordContexts.SignIn(World.Acme, World.Grant.ToString(), World.Ana.Authority),
        ["extension"] = RecordContexts.Extension(World.Acme, "token.refresh", "grants", World.Grant.ToString(), 7),
    };

    [Theory]
    [MemberData(nameof(Fields))]
    public async Task Record_WithOneFieldOfItsContextChanged_IsRefused(string field)
    {
        var record = await world.SealAsync();
        Assert.Null(await world.OpenErrorAsync(World.Refresh, record));
        Assert.Equal(VaultError.Refused, await world.OpenErrorAsync(Changed[field], record));
    }

    [Fact]
    public async Task Record_MovedToAnotherTenant_IsRefusedAsAnUnknownKey()
    {
        var record = await world.SealAsync();
        var elsewhere = RecordContexts.RefreshToken(World.Grant, World.Ana with { Tenant = World.Globex }, World.Lake, 7, World.Digest);
        await world.SealAsync(elsewhere);
        Assert.Equal(VaultError.UnknownKeyVersion, await world.OpenErrorAsync(elsewhere, record));
    }

    [Fact]
    public async Task Record_AndItsWrappedKeyMovedToAnotherTenant_AreRefusedByTheKeyStore()
    {
        var record = await world.SealAsync();
        world.WrappedKeys.Edit(row => row with { Tenant = World.Globex });
        var elsewhere = RecordContexts.RefreshToken(World.Grant, World.Ana with { Tenant = World.Globex }, World.Lake, 7, World.Digest);
        Assert.Equal(VaultError.Refused, await world.OpenErrorAsync(elsewhere, record));
    }

    [Fact]
    public void Record_OfTheSameKeyButAnotherTenantsContext_IsRefused()
    {
        // Even if two tenants had one key, the tenant's name is in the associated data.
        var key = RandomNumberGenerator.GetBytes(32);
        var version = Guid.Empty;
        var record = new byte[RecordFormat.SealedLength(World.Token.Length)];
        var mine = RecordContexts.Extension(World.Acme, "k", "t", "r");
        var theirs = RecordContexts.Extension(World.Globex, "k", "t", "r");
        using (var data = AssociatedData.OfRecord(VaultSuite.HkdfSha512Aes256GcmCommit, version, World.Deployment, mine))
            RecordCipher.Seal(key, VaultSuite.HkdfSha512Aes256GcmCommit, version, data.Bytes, World.Token, world.Chance, record);

        Assert.True(Opens(mine, World.Deployment, version));
        Assert.False(Opens(theirs, World.Deployment, version));
        Assert.False(Opens(mine, "another-deployment", version));
        Assert.False(Opens(mine, World.Deployment, new Guid("00000000-0000-0000-0000-000000000001")));

        bool Opens(RecordContext context, string deployment, Guid keyVersion)
        {
            using var data = AssociatedData.OfRecord(VaultSuite.HkdfSha512Aes256GcmCommit, keyVersion, deployment, context);
            using var opened = RecordCipher.TryOpen(key, VaultSuite.HkdfSha512Aes256GcmCommit, data.Bytes, record);
            return opened is not null;
        }
    }

    [Fact]
    public void Contexts_OfDifferentKindsOrFields_AreAllDifferentBytes()
    {
        var encoded = Changed.Values.Append(World.Refresh).Select(context => Convert.ToHexString(context.Encoded)).ToList();
        Assert.Equal(encoded.Count, encoded.Distinct().Count());
    }

    [Theory]
    [InlineData(0)]
    [InlineData(31)]
    [InlineData(33)]
    public void Context_WithADigestOfTheWrongLength_IsNotMade(int length)
    {
        Assert.Throws<ArgumentException>(() => RecordContexts.AccessToken(World.Grant, World.Ana, World.Lake, 1, new byte[length]));
        Assert.Throws<ArgumentException>(() => RecordContexts.ClientSecret(World.Acme, World.Lake, 1, new byte[length]));
    }

    [Fact]
    public void Context_WithAnEmptyName_IsNotMade()
    {
        Assert.ThrowsAny<ArgumentException>(() => RecordContexts.RefreshToken(World.Grant, World.Ana with { Id = "" }, World.Lake, 1, World.Digest));
        Assert.ThrowsAny<ArgumentException>(() => RecordContexts.RefreshToken(World.Grant, World.Ana with { Authority = "" }, World.Lake, 1, World.Digest));
        Assert.ThrowsAny<ArgumentException>(() => RecordContexts.RefreshToken(World.Grant, World.Ana, default, 1, World.Digest));
        Assert.ThrowsAny<ArgumentException>(() => RecordContexts.RefreshToken(World.Grant, World.Ana with { Tenant = default }, World.Lake, 1, World.Digest));
        Assert.ThrowsAny<ArgumentException>(() => RecordContexts.PendingConnect("", World.Ana, World.Lake, World.Digest));
        Assert.ThrowsAny<ArgumentException>(() => RecordContexts.SignIn(World.Acme, "p", ""));
        Assert.ThrowsAny<ArgumentException>(() => RecordContexts.Extension(World.Acme, "", "t", "r"));
        Assert.ThrowsAny<ArgumentException>(() => MacContexts.Session(World.Acme, ""));
        Assert.ThrowsAny<ArgumentException>(() => MacContexts.Definition(default, "connection/lake"));
    }
}
