using Postern.Model;

namespace Postern.Vault;

/// <summary>
/// An unwrapped tenant key in memory, counted: the cache holds one reference, every operation under way holds another, and the
/// last one to go wipes the bytes. So a key that expires is never wiped under a running operation, and never outlives it.
/// </summary>
internal sealed class TenantKey
{
    private readonly SecretBytes recordKey;
    private readonly SecretBytes macKey;
    private int references = 1;

    /// <summary>Takes over <paramref name="key"/>; the caller holds the first reference.</summary>
    public TenantKey(Guid version, SecretBytes key)
    {
        Version = version;
        recordKey = key;
        macKey = RowMac.DeriveKey(key.Reveal());
    }

    public Guid Version { get; }

    public ReadOnlySpan<byte> RecordKey => recordKey.Reveal();

    public ReadOnlySpan<byte> MacKey => macKey.Reveal();

    /// <summary>True when the bytes are gone.</summary>
    public bool IsWiped => Volatile.Read(ref references) == 0;

    /// <summary>One more user; false when the key was wiped already.</summary>
    public bool TryAcquire()
    {
        var seen = Volatile.Read(ref references);
        while (seen > 0)
        {
            var before = Interlocked.CompareExchange(ref references, seen + 1, seen);
            if (before == seen)
                return true;
            seen = before;
        }
        return false;
    }

    /// <summary>One user less; the last wipes.</summary>
    public void Release()
    {
        if (Interlocked.Decrement(ref references) != 0)
            return;
        recordKey.Dispose();
        macKey.Dispose();
    }
}

/// <summary>The right to use a tenant key until disposed, exactly once.</summary>
internal readonly struct KeyLease(TenantKey key) : IDisposable
{
    public TenantKey Key { get; } = key;

    public void Dispose() => Key.Release();
}
