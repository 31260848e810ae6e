using System.Globalization;
using System.Text;
using Microsoft.Extensions.Logging;
using Postern.Model;

namespace Postern.Vault.Tests;

/// <summary>Known keys and a known token go through everything the vault can say; none of them comes out.</summary>
public sealed class SecretsStayInsideTests : IDisposable
{
    private readonly World world = new();
    private readonly Heard heard = new();

    public void Dispose() => world.Dispose();

    [Fact]
    public async Task EverythingTheVaultSays_HoldsNoKeyAndNoPlaintext()
    {
        using var vault = new TokenVault(World.Options, world.KeyStore, world.WrappedKeys, world.Chance, world.Time, heard);
        var record = await vault.SealAsync(World.Refresh, World.Token, World.Cancellation);
        var mac = await vault.MacAsync(MacContexts.Session(World.Acme, "s"), World.Token, World.Cancellation);

        // The two keys that must not be seen: the tenant's, unwrapped here by hand, and the root key as the file has it.
        var row = Assert.Single(world.WrappedKeys.Rows);
        var context = new KeyWrapContext(World.Deployment, World.Acme, row.Version, KeyWrapContext.TenantKeyPurpose);
        Assert.True((await world.Keyring.UnwrapAsync(context, row.RootKeyId, row.Wrapped, World.Cancellation)).TryGet(out var tenantKey, out _));
        var keyringFile = await File.ReadAllTextAsync(Path.Combine(world.KeyringOptions.Directory, "keyring.json"), World.Cancellation);
        var rootKey = System.Text.Json.JsonDocument.Parse(keyringFile).RootElement.GetProperty("keys")[0].GetProperty("key").GetString()!;

        heard.Say(vault, World.Refresh, MacContexts.Session(World.Acme, "s"), row, tenantKey, world.Keyring, world.Keyring.RootKeys[0], world.KeyringOptions, World.Options, context);
        foreach (var damage in new[] { 0, 2, 5, 30, 60, 90, 100, record.Length - 1 })
        {
            var bad = record.ToArray();
            bad[damage] ^= 1;
            heard.Say((await vault.OpenAsync(World.Refresh, bad, World.Cancellation)).Refusal!);
        }
        mac[^1] ^= 1;
        heard.Say((await vault.VerifyMacAsync(MacContexts.Session(World.Acme, "s"), World.Token, mac, World.Cancellation)).Refusal!);

        vault.Forget(World.Acme);
        world.WrappedKeys.Edit(one => one with { Wrapped = [.. one.Wrapped.AsSpan(0, 100), .. new byte[43]] });
        heard.Say((await vault.OpenAsync(World.Refresh, record, World.Cancellation)).Refusal!);
        heard.Say(await Assert.ThrowsAsync<VaultException>(async () => await vault.SealAsync(World.Refresh, World.Token, World.Cancellation)));
        world.KeyStore.BeforeUnwrap = static _ => throw new IOException("down");
        heard.Say((await vault.OpenAsync(World.Refresh, record, World.Cancellation)).Refusal!);
        File.WriteAllText(Path.Combine(world.KeyringOptions.Directory, "keyring.json"), keyringFile[..^3]);
        heard.Say(Assert.Throws<KeyringException>(world.Keyring.Reload));

        var all = heard.ToString();
        Assert.Contains("vault-refused", all, StringComparison.Ordinal);
        Assert.Contains("first key", all, StringComparison.Ordinal);
        var key = tenantKey.Reveal().ToArray();
        foreach (var secret in new[]
        {
            Convert.ToHexString(key)[..12], Convert.ToBase64String(key)[..12], Encoding.Latin1.GetString(key)[..8],
            string.Join(", ", key[..4].Select(b => b.ToString(CultureInfo.InvariantCulture))), rootKey[..12], "canary",
        })
        {
            Assert.DoesNotContain(secret, all, StringComparison.OrdinalIgnoreCase);
        }
    }

    [Fact]
    public void Errors_ToRefusalAndBack_AreTheSame()
    {
        foreach (var error in Enum.GetValues<VaultError>())
        {
            var refusal = VaultErrors.Refuse(error);
            Assert.Equal(error, refusal.AsVaultError());
            Assert.StartsWith("vault-", refusal.Code, StringComparison.Ordinal);
            Assert.Equal((refusal.IsKeyUnavailable(), refusal.IsKeyUnavailable()), (refusal.RetryAfter is not null, refusal.Kind == RefusalKind.Unavailable));
        }
        Assert.Null(new Refusal(RefusalKind.Forbidden, "no").AsVaultError());
    }

    /// <summary>All that was logged and said, with the details a debugger or a structured log would show.</summary>
    private sealed class Heard : ILogger<TokenVault>
    {
        private readonly StringBuilder all = new();

        public void Say(params object[] things)
        {
            foreach (var thing in things)
                all.AppendLine(thing.ToString());
            foreach (var failure in things.OfType<Exception>())
            {
                foreach (var value in failure.Data.Values)
                    all.AppendLine(value?.ToString());
            }
        }

        public IDisposable? BeginScope<TState>(TState state) where TState : notnull => null;

        public bool IsEnabled(LogLevel logLevel) => true;

        public void Log<TState>(LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter)
        {
            all.AppendLine(formatter(state, exception)).AppendLine(exception?.ToString());
            foreach (var pair in state as IEnumerable<KeyValuePair<string, object?>> ?? [])
                all.AppendLine(CultureInfo.InvariantCulture, $"{pair.Key}={pair.Value}");
        }

        public override string ToString() => all.ToString();
    }
}
