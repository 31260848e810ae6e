using Microsoft.Extensions.Logging;
using Postern.Model;

namespace Postern.Vault;

/// <summary>What the vault logs; ids 2000 to 2099. Names, ids, and where the key store is; nothing secret.</summary>
internal static partial class VaultLog
{
    [LoggerMessage(2000, LogLevel.Information, "Tenant {Tenant} has its first key, version {Version}, wrapped by root key {RootKey}.")]
    public static partial void TenantKeyCreated(ILogger log, TenantId tenant, Guid version, string rootKey);

    [LoggerMessage(2001, LogLevel.Error, "The key store ({KeyStore}) failed; nothing is sealed or opened without it.")]
    public static partial void KeyStoreFailed(ILogger log, string keyStore, Exception failure);

    [LoggerMessage(2002, LogLevel.Error, "Key version {Version} of tenant {Tenant}, wrapped by root key {RootKey}, was not unwrapped: {Code}: {Detail}")]
    public static partial void UnwrapRefused(ILogger log, TenantId tenant, Guid version, string rootKey, string code, string detail);

    [LoggerMessage(2003, LogLevel.Information, "The vault uses {KeyStore}.")]
    public static partial void KeyStoreInUse(ILogger log, string keyStore);
}
