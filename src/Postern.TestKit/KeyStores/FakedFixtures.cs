using Postern.Model;
using Postern.Vault;

namespace Postern.TestKit;

/// <summary>A remote key store over a fake of its wire.</summary>
public abstract class FakedKeyStoreFixture<TFake> : KeyStoreFixture where TFake : WireFake
{
    private readonly List<IKeyStore> opened = [];

    private protected FakedKeyStoreFixture(TFake fake)
    {
        Fake = fake;
        Folder = Directory.CreateTempSubdirectory("postern-keystore-").FullName;
    }

    /// <summary>The service's stand-in.</summary>
    public TFake Fake { get; }

    /// <summary>A folder of this fixture for credential files.</summary>
    public string Folder { get; }

    /// <inheritdoc/>
    public override bool CanRotate => true;

    /// <inheritdoc/>
    public sealed override IKeyStore Open()
    {
        var store = Options.Create(new SystemChance(), TimeProvider.System);
        opened.Add(store);
        return store;
    }

    /// <inheritdoc/>
    public override async ValueTask DisposeAsync()
    {
        foreach (var store in opened.OfType<IDisposable>())
            store.Dispose();
        await Fake.DisposeAsync();
        Directory.Delete(Folder, recursive: true);
        GC.SuppressFinalize(this);
    }

    /// <summary>The settings of a key store over the fake.</summary>
    public abstract RemoteKeyStoreOptions Options { get; }

    /// <summary>Takes every root key away but the one that wraps, as the service's operator does after a rotation.</summary>
    public abstract void RetireOld();

    /// <summary>How the fake is reached. The time is generous: a busy machine is no outage.</summary>
    protected RestOptions Rest => new() { Endpoint = Fake.Address, AttemptTimeout = TimeSpan.FromSeconds(20) };

    /// <summary>Writes a credential file and gives its path.</summary>
    protected string Write(string name, string content)
    {
        var file = Path.Combine(Folder, name);
        File.WriteAllText(file, content);
        return file;
    }
}

/// <summary>Transit with a token in a file.</summary>
public sealed class TransitFixture : FakedKeyStoreFixture<FakeTransit>
{
    private TransitFixture(FakeTransit fake)
        : base(fake) => Write("token", fake.Token + "\n");

    /// <summary>Starts the fake.</summary>
    public static async Task<KeyStoreFixture> StartAsync()
    {
        var fake = new FakeTransit();
        await fake.StartAsync();
        return new TransitFixture(fake);
    }

    /// <inheritdoc/>
    public override Task RotateAsync(CancellationToken cancellation)
    {
        Fake.Rotate();
        return Task.CompletedTask;
    }

    /// <inheritdoc/>
    public override void RetireOld() => Fake.MinDecryptionVersion = Fake.LatestVersion;

    /// <inheritdoc/>
    public override RemoteKeyStoreOptions Options => new TransitOptions
    {
        Rest = Rest,
        Key = "postern",
        Login = new TransitLogin.TokenFile(Path.Combine(Folder, "token")),
    };
}

/// <summary>AWS KMS with a shared credentials file.</summary>
public sealed class AwsKmsFixture : FakedKeyStoreFixture<FakeAwsKms>
{
    private AwsKmsFixture(FakeAwsKms fake)
        : base(fake) => Write("credentials", $"[default]\naws_access_key_id = other\n[postern]\naws_access_key_id = {fake.KeyId}\naws_secret_access_key = {fake.Secret}\n");

    /// <inheritdoc/>
    public override bool RotationChangesTheId => false;

    /// <summary>Starts the fake.</summary>
    public static async Task<KeyStoreFixture> StartAsync()
    {
        var fake = new FakeAwsKms(TimeProvider.System);
        await fake.StartAsync();
        return new AwsKmsFixture(fake);
    }

    /// <inheritdoc/>
    public override Task RotateAsync(CancellationToken cancellation) => Task.CompletedTask;

    /// <inheritdoc/>
    public override void RetireOld() => Fake.Remove(FakeAwsKms.FormerArn);

    /// <inheritdoc/>
    public override RemoteKeyStoreOptions Options => new AwsKmsOptions
    {
        Rest = Rest,
        KeyArn = FakeAwsKms.Arn,
        FormerKeyArns = [FakeAwsKms.FormerArn],
        Credentials = new AwsCredentialSource.SharedFile(Path.Combine(Folder, "credentials"), "postern"),
    };
}

/// <summary>Azure Key Vault with an application's secret.</summary>
public sealed class AzureKeyVaultFixture : FakedKeyStoreFixture<FakeAzureKeyVault>
{
    private AzureKeyVaultFixture(FakeAzureKeyVault fake)
        : base(fake) => Write("secret", "application-secret");

    /// <summary>Starts the fake.</summary>
    public static async Task<KeyStoreFixture> StartAsync()
    {
        var fake = new FakeAzureKeyVault();
        await fake.StartAsync();
        return new AzureKeyVaultFixture(fake);
    }

    /// <inheritdoc/>
    public override Task RotateAsync(CancellationToken cancellation)
    {
        Fake.Rotate();
        return Task.CompletedTask;
    }

    /// <inheritdoc/>
    public override void RetireOld() => Fake.RemoveOld();

    /// <inheritdoc/>
    public override RemoteKeyStoreOptions Options => new AzureKeyVaultOptions
    {
        Rest = Rest,
        Key = "wrapper",
        SigningKey = "signer",
        Credentials = new AzureCredentialSource.ClientSecret(FakeAzureKeyVault.Directory, FakeAzureKeyVault.Client, Path.Combine(Folder, "secret"))
        {
            Authority = Fake.Address,
        },
    };
}

/// <summary>Google Cloud KMS with a service account's key file.</summary>
public sealed class GoogleKmsFixture : FakedKeyStoreFixture<FakeGoogleKms>
{
    private GoogleKmsFixture(FakeGoogleKms fake)
        : base(fake) => Write("account.json", System.Text.Json.JsonSerializer.Serialize(new
        {
            type = "service_account",
            client_email = "postern@acme-prod.iam.gserviceaccount.com",
            private_key_id = "k1",
            private_key = fake.Account.ExportPkcs8PrivateKeyPem(),
            token_uri = "https://attacker.example/token",
        }));

    /// <summary>Starts the fake.</summary>
    public static async Task<KeyStoreFixture> StartAsync()
    {
        var fake = new FakeGoogleKms();
        await fake.StartAsync();
        return new GoogleKmsFixture(fake);
    }

    /// <inheritdoc/>
    public override Task RotateAsync(CancellationToken cancellation)
    {
        Fake.Rotate();
        return Task.CompletedTask;
    }

    /// <inheritdoc/>
    public override void RetireOld() => Fake.RemoveOld();

    /// <inheritdoc/>
    public override RemoteKeyStoreOptions Options => new GoogleKmsOptions
    {
        Rest = Rest,
        Key = FakeGoogleKms.Key,
        Credentials = new GoogleCredentialSource.ServiceAccountFile(Path.Combine(Folder, "account.json")) { Endpoint = Fake.Address },
    };
}
