using Postern.Model;
using Postern.Store;
using Postern.Vault;

namespace Postern.Grants.Keys;

/// <summary>Hears of keys that changed on any node: they are wiped from memory and read again, and so are the root keys.</summary>
internal sealed class KeyWatch(TokenVault vault) : IChangeListener
{
    public void OnChanges(IReadOnlyList<ChangeRow> changes)
    {
        foreach (var tenant in changes.Where(change => change.Kind == ChangeKind.Key).Select(change => change.Tenant).Distinct())
            vault.Forget(tenant);
    }

    // Which keys changed is not known, so none may stay. Reading their names would block; everything forgotten is only slower.
    public void OnMissed() => vault.ForgetAll();
}
