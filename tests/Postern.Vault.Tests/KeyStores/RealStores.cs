using Postern.Model;
using Postern.TestKit;

namespace Postern.Vault.Tests.KeyStores;

/// <summary>
/// Real services, where environment variables name one (docs/how-to/choose-a-key-store.md). Without the variables there are no such tests; nothing
/// is skipped. Nobody rotates a real key from here.
/// </summary>
internal static class RealStores
{
    public static IReadOnlyDictionary<string, Func<Task<KeyStoreFixture>>> Configured { get; } = Find();

    private static Dictionary<string, Func<Task<KeyStoreFixture>>> Find()
    {
        var found = new Dictionary<string, Func<Task<KeyStoreFixture>>>();
        if (Is("POSTERN_TEST_TRANSIT_ADDRESS", out var transit) && Is("POSTERN_TEST_TRANSIT_KEY", out var transitKey) && Is("POSTERN_TEST_TRANSIT_TOKEN_FILE", out var token))
        {
            found["real transit"] = Of(() => new TransitKeyStore(
                new() { Rest = new() { Endpoint = new Uri(transit) }, Key = transitKey, Login = new TransitLogin.TokenFile(token) }, new SystemChance(), TimeProvider.System));
        }
        if (Is("POSTERN_TEST_AWS_KEY_ARN", out var arn))
        {
            found["real aws"] = Of(() => new AwsKmsKeyStore(
                new() { KeyArn = arn, Credentials = new AwsCredentialSource.EnvironmentVariables() }, new SystemChance(), TimeProvider.System));
        }
        if (Is("POSTERN_TEST_AZURE_VAULT", out var vault) && Is("POSTERN_TEST_AZURE_KEY", out var key) && Is("POSTERN_TEST_AZURE_SIGNING_KEY", out var signer)
            && Is("POSTERN_TEST_AZURE_TENANT", out var tenant) && Is("POSTERN_TEST_AZURE_CLIENT", out var client) && Is("POSTERN_TEST_AZURE_SECRET_FILE", out var secret))
        {
            found["real azure"] = Of(() => new AzureKeyVaultKeyStore(
                new()
                {
                    Rest = new() { Endpoint = new Uri(vault) },
                    Key = key,
                    SigningKey = signer,
                    Credentials = new AzureCredentialSource.ClientSecret(tenant, client, secret),
                },
                new SystemChance(),
                TimeProvider.System));
        }
        if (Is("POSTERN_TEST_GOOGLE_KEY", out var google) && Is("POSTERN_TEST_GOOGLE_ACCOUNT_FILE", out var account))
        {
            found["real google"] = Of(() => new GoogleKmsKeyStore(
                new() { Key = google, Credentials = new GoogleCredentialSource.ServiceAccountFile(account) }, new SystemChance(), TimeProvider.System));
        }
        return found;
    }

    private static bool Is(string name, out string value)
    {
        value = Environment.GetEnvironmentVariable(name) ?? "";
        return value.Length > 0;
    }

    private static Func<Task<KeyStoreFixture>> Of(Func<IKeyStore> open) => () => Task.FromResult<KeyStoreFixture>(new Fixture(open));

    private sealed class Fixture(Func<IKeyStore> open) : KeyStoreFixture
    {
        private readonly List<IKeyStore> opened = [];

        public override bool CanRotate => false;

        public override int DamagedPositions => 8;

        public override IKeyStore Open()
        {
            var store = open();
            opened.Add(store);
            return store;
        }

        public override Task RotateAsync(CancellationToken cancellation) => throw new NotSupportedException("A real key is not rotated by tests.");

        public override ValueTask DisposeAsync()
        {
            foreach (var store in opened.OfType<IDisposable>())
                store.Dispose();
            return ValueTask.CompletedTask;
        }
    }
}
