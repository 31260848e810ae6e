using Postern.Vault;

namespace Postern.TestKit;

/// <summary>A key store under test: how it is opened, and what can be done to its root keys from outside.</summary>
public abstract class KeyStoreFixture : IAsyncDisposable
{
    /// <summary>Another instance over the same root keys, as another node has. The fixture disposes it.</summary>
    public abstract IKeyStore Open();

    /// <summary>True where <see cref="RotateAsync"/> works; it needs rights on a real service that Postern itself does not have.</summary>
    public abstract bool CanRotate { get; }

    /// <summary>Makes a new root key (or version of it) and lets it wrap.</summary>
    public abstract Task RotateAsync(CancellationToken cancellation);

    /// <summary>False where a rotation keeps the root key's id, as AWS does with the material of one key.</summary>
    public virtual bool RotationChangesTheId => true;

    /// <summary>How many positions of a wrapped key are damaged in turn; fewer where every try costs money.</summary>
    public virtual int DamagedPositions => int.MaxValue;

    /// <inheritdoc/>
    public abstract ValueTask DisposeAsync();
}
