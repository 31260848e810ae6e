using Postern.Model;

namespace Postern.Vault;

/// <summary>A key store of another machine; one record for each service.</summary>
public abstract record RemoteKeyStoreOptions
{
    private protected RemoteKeyStoreOptions()
    {
    }

    /// <summary>Every error of these settings, as <c>Service.Setting: what to write instead</c>; empty when there is none.</summary>
    public abstract IEnumerable<string> Validate();

    /// <summary>Makes the store, which connects when it is first asked.</summary>
    /// <exception cref="ArgumentException">The options are wrong; every error is named.</exception>
    public abstract IKeyStore Create(IChance chance, TimeProvider time);
}
