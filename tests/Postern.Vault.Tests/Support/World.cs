using System.Security.Cryptography;
using System.Text;
using Microsoft.Extensions.Time.Testing;
using Postern.Model;

namespace Postern.Vault.Tests;

/// <summary>One vault over a real file keyring in a directory of its own, with time and chance in the test's hands.</summary>
internal sealed class World : IDisposable
{
    public const string Deployment = "test-deployment";

    private readonly List<IDisposable> owned = [];

    public World()
    {
        Keyring = FileKeyring.OpenOrCreate(KeyringOptions, Deployment, Chance, Time);
        KeyStore = new(Keyring);
        owned.Add(Keyring);
        Vault = Node();
    }

    public static TenantId Acme { get; } = TenantId.Parse("acme");

    public static TenantId Globex { get; } = TenantId.Parse("globex");

    public static SubjectKey Ana { get; } = new(Acme, "https://idp.acme.test", "ana");

    public static ConnectionId Lake { get; } = ConnectionId.Parse("lake");

    public static GrantId Grant { get; } = new(new Guid("0199a1b2-0000-7000-8000-000000000001"));

    public static byte[] Digest { get; } = SHA256.HashData("where the tokens may go"u8);

    public static RecordContext Refresh { get; } = RecordContexts.RefreshToken(Grant, Ana, Lake, 7, Digest);

    public static byte[] Token { get; } = Encoding.UTF8.GetBytes("refresh-token-canary-5f1c");

    public TempDirectory Directory { get; } = new();

    public FakeTimeProvider Time { get; } = new(new DateTimeOffset(2026, 1, 2, 3, 4, 5, TimeSpan.Zero));

    public SeededChance Chance { get; } = new("world");

    public WrappedKeysInMemory WrappedKeys { get; } = new();

    public FileKeyring Keyring { get; }

    public ObservedKeyStore KeyStore { get; }

    public TokenVault Vault { get; }

    public FileKeyringOptions KeyringOptions => new() { Directory = Path.Combine(Directory.Path, "keys") };

    public static VaultOptions Options { get; } = new() { Deployment = Deployment };

    public static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    /// <summary>Another node over the same stores, with a cache of its own.</summary>
    public TokenVault Node(VaultOptions? options = null, IKeyStore? keyStore = null)
    {
        var vault = new TokenVault(options ?? Options, keyStore ?? KeyStore, WrappedKeys, Chance, Time);
        owned.Add(vault);
        return vault;
    }

    public async Task<byte[]> SealAsync(RecordContext? context = null) => await Vault.SealAsync(context ?? Refresh, Token, Cancellation);

    public async Task<VaultError?> OpenErrorAsync(RecordContext context, byte[] record) => ErrorOf(await Vault.OpenAsync(context, record, Cancellation));

    /// <summary>The error, or null when it opened; the secret is wiped.</summary>
    public static VaultError? ErrorOf(Outcome<SecretBytes> outcome)
    {
        if (!outcome.TryGet(out var secret, out var why))
            return why.AsVaultError() ?? throw new InvalidOperationException($"'{why.Code}' is no vault error.");
        secret.Dispose();
        return null;
    }

    public void Dispose()
    {
        owned.Reverse();
        owned.ForEach(one => one.Dispose());
        Directory.Dispose();
    }
}

/// <summary>A private directory that goes away with the test.</summary>
internal sealed class TempDirectory : IDisposable
{
    public string Path { get; } = System.IO.Directory.CreateTempSubdirectory("postern-vault-").FullName;

    public void Dispose() => System.IO.Directory.Delete(Path, recursive: true);
}
