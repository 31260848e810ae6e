using System.Security.Cryptography;
using System.Text;
using Postern.Model;
using Postern.TestKit;

namespace Postern.Vault.Tests.KeyStores;

/// <summary>What is particular to one service: its ways to log in, its checks, and what an attacker at its wire or in the database gets.</summary>
public sealed class RemoteKeyStoreTests : IDisposable
{
    private static readonly KeyWrapContext Context = new("d", World.Acme, new Guid("0199a1b2-0000-7000-8000-0000000000aa"), KeyWrapContext.TenantKeyPurpose);

    private readonly TempDirectory temp = new();

    public void Dispose() => temp.Dispose();

    [Fact]
    public async Task Transit_TokenFileReplaced_IsReadAgain()
    {
        await using var fixture = (TransitFixture)await TransitFixture.StartAsync();
        var store = fixture.Open();
        Assert.Null(await WrapErrorAsync(store));
        fixture.Fake.Token = "transit-token-2";
        Assert.Equal(VaultError.KeyStoreUnavailable, await WrapErrorAsync(store));
        File.WriteAllText(Path.Combine(fixture.Folder, "token"), "transit-token-2\n");
        Assert.Null(await WrapErrorAsync(store));
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task Transit_LoggedInByRole_LogsInOnceAndAgainWhenTheTokenIsRevoked(bool approle)
    {
        await using var fake = new FakeTransit { Namespace = "team-a/" };
        await fake.StartAsync();
        TransitLogin login = approle
            ? new TransitLogin.AppRole("postern-role", Write("secret-id", "postern-secret"))
            : new TransitLogin.Kubernetes("postern-role") { JwtFile = Write("jwt", "service-account-jwt") };
        using var store = new TransitKeyStore(
            new() { Rest = Rest(fake), Key = "postern", Namespace = "team-a/", Login = login }, new SystemChance(), TimeProvider.System);
        Assert.Null(await WrapErrorAsync(store));
        Assert.Null(await WrapErrorAsync(store));
        Assert.Equal(1, fake.Logins);
        fake.Token = "transit-token-2";
        Assert.Null(await WrapErrorAsync(store));
        Assert.Equal(2, fake.Logins);
        Assert.Empty(fake.Complaints);
    }

    [Fact]
    public async Task Transit_KeyThatIsNotDerived_IsNotAccepted()
    {
        await using var fixture = (TransitFixture)await TransitFixture.StartAsync();
        fixture.Fake.Derived = false;
        var refusal = (await fixture.Open().CurrentRootKeyIdAsync(World.Cancellation)).Refusal!;
        Assert.Contains("derived=true", refusal.Detail, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Transit_VersionBelowTheMinimum_IsAMissingKeyWithItsRemedy()
    {
        await using var fixture = (TransitFixture)await TransitFixture.StartAsync();
        var store = fixture.Open();
        var old = await WrapAsync(store);
        fixture.Fake.Rotate();
        fixture.Fake.MinDecryptionVersion = 2;
        var outcome = await store.UnwrapAsync(Context, old.RootKeyId, old.Wrapped, World.Cancellation);
        Assert.Equal(VaultError.RootKeyMissing, outcome.Refusal?.AsVaultError());
        Assert.Contains("min_decryption_version", outcome.Refusal!.Detail, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Aws_WebIdentity_IsExchangedOnceAndSignedWithItsSession()
    {
        await using var fake = new FakeAwsKms(TimeProvider.System) { SessionToken = "session-of-the-workload" };
        await fake.StartAsync();
        var source = new AwsCredentialSource.WebIdentity("arn:aws:iam::111122223333:role/postern", Write("workload", "workload-token")) { Endpoint = fake.Address };
        using var store = new AwsKmsKeyStore(new() { Rest = Rest(fake), KeyArn = FakeAwsKms.Arn, Credentials = source }, new SystemChance(), TimeProvider.System);
        Assert.Null(await WrapErrorAsync(store));
        Assert.Null(await WrapErrorAsync(store));
        Assert.Equal(3, fake.Requests);
        Assert.Empty(fake.Complaints);
    }

    [Fact]
    public async Task Aws_Throttled_IsAskedAgainAlthoughTheStatusIs400()
    {
        await using var fixture = (AwsKmsFixture)await AwsKmsFixture.StartAsync();
        fixture.Fake.Before = async http =>
        {
            if (fixture.Fake.Requests > 2)
                return false;
            http.Response.StatusCode = 400;
            await http.Response.Body.WriteAsync("""{"__type":"ThrottlingException"}"""u8.ToArray());
            return true;
        };
        Assert.Null(await WrapErrorAsync(fixture.Open()));
        Assert.Equal(3, fixture.Fake.Requests);
    }

    [Fact]
    public async Task Aws_AnswerWithAnotherKey_IsNotBelieved()
    {
        await using var fixture = (AwsKmsFixture)await AwsKmsFixture.StartAsync();
        var store = fixture.Open();
        var wrapping = await WrapAsync(store);
        fixture.Fake.OnTheWay = static (_, body) => Encoding.UTF8.GetBytes(Encoding.UTF8.GetString(body).Replace("1234abcd", "1234abce", StringComparison.Ordinal));
        Assert.NotNull(World.ErrorOf(await store.UnwrapAsync(Context, wrapping.RootKeyId, wrapping.Wrapped, World.Cancellation)));
        Assert.Equal(VaultError.KeyStoreUnavailable, await WrapErrorAsync(store));
    }

    [Fact]
    public async Task Aws_Context_NamesTenantByIdOnly()
    {
        await using var fixture = (AwsKmsFixture)await AwsKmsFixture.StartAsync();
        await WrapAsync(fixture.Open());
        Assert.Equal(
            """{"postern:deployment":"d","postern:tenant":"acme","postern:key-version":"0199a1b2-0000-7000-8000-0000000000aa","postern:purpose":"tenant-key"}""",
            Assert.Single(fixture.Fake.Contexts));
    }

    [Fact]
    public async Task Aws_FormerKey_UnwrapsAndMovesToTheCurrentOne()
    {
        await using var fixture = (AwsKmsFixture)await AwsKmsFixture.StartAsync();
        var former = new AwsCredentialSource.SharedFile(Path.Combine(fixture.Folder, "credentials"), "postern");
        using var before = new AwsKmsKeyStore(new() { Rest = Rest(fixture.Fake), KeyArn = FakeAwsKms.FormerArn, Credentials = former }, new SystemChance(), TimeProvider.System);
        var old = await WrapAsync(before);
        var store = fixture.Open();
        Assert.True((await store.RewrapAsync(Context, old.RootKeyId, old.Wrapped, World.Cancellation)).TryGet(out var moved, out _));
        Assert.Equal(FakeAwsKms.Arn, moved.RootKeyId);
        Assert.Null(World.ErrorOf(await store.UnwrapAsync(Context, moved.RootKeyId, moved.Wrapped, World.Cancellation)));
        Assert.Equal(VaultError.RootKeyMissing, World.ErrorOf(await before.UnwrapAsync(Context, moved.RootKeyId, moved.Wrapped, World.Cancellation)));
    }

    [Fact]
    public async Task Azure_KeyWrappedByWhoKnowsThePublicKey_IsNeverUnwrapped()
    {
        // The attack: write to the tenant's row a key of one's own, bound to the right context and wrapped with the true public key.
        await using var fixture = (AzureKeyVaultFixture)await AzureKeyVaultFixture.StartAsync();
        var store = fixture.Open();
        var genuine = await WrapAsync(store);
        var bound = new byte[BoundKey.Length];
        using (var mine = new SecretBytes("a key that the attacker knows..."u8))
            BoundKey.Write(Context, mine, bound);
        using var rsa = RSA.Create(fixture.Fake.PublicKey);
        Assert.True(AzureWrappedKey.TryParse(genuine.Wrapped, out var stored));
        var forged = stored with { Ciphertext = rsa.Encrypt(bound, RSAEncryptionPadding.OaepSHA256) };

        Assert.Equal(VaultError.Refused, World.ErrorOf(await store.UnwrapAsync(Context, genuine.RootKeyId, forged.ToBytes(), World.Cancellation)));
        Assert.Equal(0, fixture.Fake.Unwraps);
        Assert.Null(World.ErrorOf(await store.UnwrapAsync(Context, genuine.RootKeyId, genuine.Wrapped, World.Cancellation)));
    }

    [Theory]
    [InlineData("machine")]
    [InlineData("workload")]
    public async Task Azure_EveryCredential_GetsATokenAndAnotherWhenItIsRefused(string kind)
    {
        await using var fake = new FakeAzureKeyVault();
        await fake.StartAsync();
        AzureCredentialSource source = kind == "machine"
            ? new AzureCredentialSource.ManagedIdentity(FakeAzureKeyVault.Client) { Endpoint = fake.Address }
            : new AzureCredentialSource.WorkloadIdentity(FakeAzureKeyVault.Directory, FakeAzureKeyVault.Client, Write("workload", "workload-token")) { Authority = fake.Address };
        using var store = new AzureKeyVaultKeyStore(
            new() { Rest = Rest(fake), Key = "wrapper", SigningKey = "signer", Credentials = source }, new SystemChance(), TimeProvider.System);
        Assert.Null(await WrapErrorAsync(store));
        fake.Token = "azure-token-2";
        Assert.Null(await WrapErrorAsync(store));
        Assert.Empty(fake.Complaints);
    }

    [Fact]
    public async Task Azure_NextPageElsewhere_IsNotFollowed()
    {
        await using var fixture = (AzureKeyVaultFixture)await AzureKeyVaultFixture.StartAsync();
        fixture.Fake.OnTheWay = (_, body) => Encoding.UTF8.GetBytes(Encoding.UTF8.GetString(body).Replace(
            "\"nextLink\":\"http://127.0.0.1:", "\"nextLink\":\"http://127.0.0.2:", StringComparison.Ordinal));
        Assert.Contains("elsewhere", (await fixture.Open().RootKeysAsync(World.Cancellation)).Refusal!.Detail, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(":encrypt", "\"verifiedPlaintextCrc32c\":true", "\"verifiedPlaintextCrc32c\":false")]
    [InlineData(":encrypt", "\"verifiedAdditionalAuthenticatedDataCrc32c\":true", "\"x\":true")]
    [InlineData(":encrypt", "\"ciphertextCrc32c\":\"", "\"ciphertextCrc32c\":\"1")]
    [InlineData(":encrypt", "cryptoKeys/root/", "cryptoKeys/other/")]
    [InlineData(":decrypt", "\"plaintextCrc32c\":\"", "\"plaintextCrc32c\":\"1")]
    public async Task Google_ChecksumThatDoesNotFit_IsNotBelieved(string call, string found, string replacement)
    {
        await using var fixture = (GoogleKmsFixture)await GoogleKmsFixture.StartAsync();
        var store = fixture.Open();
        var wrapping = await WrapAsync(store);
        var changed = false;
        fixture.Fake.OnTheWay = (http, body) =>
        {
            var text = Encoding.UTF8.GetString(body);
            if (!http.Request.Path.Value!.EndsWith(call, StringComparison.Ordinal))
                return body;
            changed |= text.Contains(found, StringComparison.Ordinal);
            return Encoding.UTF8.GetBytes(text.Replace(found, replacement, StringComparison.Ordinal));
        };
        var error = call == ":encrypt"
            ? await WrapErrorAsync(store)
            : World.ErrorOf(await store.UnwrapAsync(Context, wrapping.RootKeyId, wrapping.Wrapped, World.Cancellation));
        Assert.True(changed);
        Assert.Equal(VaultError.KeyStoreUnavailable, error);
    }

    [Fact]
    public async Task Google_MetadataService_GivesTheToken()
    {
        await using var fake = new FakeGoogleKms();
        await fake.StartAsync();
        using var store = new GoogleKmsKeyStore(
            new() { Rest = Rest(fake), Key = FakeGoogleKms.Key, Credentials = new GoogleCredentialSource.Metadata { Endpoint = fake.Address } }, new SystemChance(), TimeProvider.System);
        Assert.Null(await WrapErrorAsync(store));
        fake.Token = "google-token-2";
        Assert.Null(await WrapErrorAsync(store));
        Assert.Empty(fake.Complaints);
    }

    [Fact]
    public void Crc32C_OfTheStandardsExamples_Matches()
    {
        // RFC 3720 appendix B.4.
        Assert.Equal(0x8A9136AAL, GoogleKmsKeyStore.Crc32C(new byte[32]));
        Assert.Equal(0x62A8AB43L, GoogleKmsKeyStore.Crc32C([.. Enumerable.Repeat((byte)0xFF, 32)]));
        Assert.Equal(0x46DD794EL, GoogleKmsKeyStore.Crc32C([.. Enumerable.Range(0, 32).Select(i => (byte)i)]));
        Assert.Equal(0xE3069283L, GoogleKmsKeyStore.Crc32C("123456789"u8));
    }

    [Fact]
    public void Options_ThatAreWrong_AreAllNamed()
    {
        var rest = new RestOptions { Endpoint = new Uri("http://vault.internal"), Attempts = 9 };
        Assert.Equal(5, new TransitOptions { Rest = rest, Mount = "../x", Key = "a/b", Login = new TransitLogin.TokenFile("") }.Validate().Count());
        Assert.Single(new AwsKmsOptions { KeyArn = "alias/postern", Credentials = new AwsCredentialSource.EnvironmentVariables() }.Validate());
        Assert.Single(new AwsKmsOptions { KeyArn = FakeAwsKms.Arn.Replace("eu-central-1", "eu@evil.example/", StringComparison.Ordinal), Credentials = new AwsCredentialSource.EnvironmentVariables() }.Validate());
        Assert.Equal(2, new AwsKmsOptions { KeyArn = FakeAwsKms.Arn, FormerKeyArns = ["x"], Credentials = new AwsCredentialSource.SharedFile("", "") }.Validate().Count());
        Assert.Equal(4, new AzureKeyVaultOptions { Rest = rest, Key = "k", SigningKey = "k", Credentials = new AzureCredentialSource.ManagedIdentity("x") }.Validate().Count());
        Assert.Equal(2, new GoogleKmsOptions { Key = "projects/p/../x", Credentials = new GoogleCredentialSource.ServiceAccountFile("") }.Validate().Count());
    }

    private string Write(string name, string content)
    {
        var file = Path.Combine(temp.Path, name);
        File.WriteAllText(file, content + "\n");
        return file;
    }

    private static RestOptions Rest(WireFake fake) => new() { Endpoint = fake.Address, AttemptTimeout = TimeSpan.FromSeconds(20) };

    private static async Task<RootWrapping> WrapAsync(IKeyStore store)
    {
        using var key = new SecretBytes("0123456789abcdef-a-tenant-key-32"u8);
        var outcome = await store.WrapAsync(Context, key, World.Cancellation);
        return outcome.TryGet(out var wrapping, out var why) ? wrapping : throw new InvalidOperationException(why.Detail);
    }

    private static async Task<VaultError?> WrapErrorAsync(IKeyStore store)
    {
        using var key = new SecretBytes("0123456789abcdef-a-tenant-key-32"u8);
        return (await store.WrapAsync(Context, key, World.Cancellation)).Refusal?.AsVaultError();
    }
}
