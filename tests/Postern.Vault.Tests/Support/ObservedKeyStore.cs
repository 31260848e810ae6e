using Postern.Model;

namespace Postern.Vault.Tests;

/// <summary>A real key store whose calls are counted and can be held up or failed.</summary>
internal sealed class ObservedKeyStore(IKeyStore inner) : IKeyStore
{
    private int unwraps;
    private int wraps;

    public int Unwraps => Volatile.Read(ref unwraps);

    public int Wraps => Volatile.Read(ref wraps);

    /// <summary>Runs before every unwrap.</summary>
    public Func<CancellationToken, Task> BeforeUnwrap { get; set; } = static _ => Task.CompletedTask;

    /// <summary>Runs before every wrap.</summary>
    public Func<CancellationToken, Task> BeforeWrap { get; set; } = static _ => Task.CompletedTask;

    public string Description => inner.Description;

    public bool Owns(string rootKeyId) => inner.Owns(rootKeyId);

    public ValueTask<Outcome<string>> CurrentRootKeyIdAsync(CancellationToken cancellation) => inner.CurrentRootKeyIdAsync(cancellation);

    public ValueTask<Outcome<IReadOnlyList<RootKeyInfo>>> RootKeysAsync(CancellationToken cancellation) => inner.RootKeysAsync(cancellation);

    public async ValueTask<Outcome<RootWrapping>> WrapAsync(KeyWrapContext context, SecretBytes key, CancellationToken cancellation)
    {
        Interlocked.Increment(ref wraps);
        await BeforeWrap(cancellation);
        return await inner.WrapAsync(context, key, cancellation);
    }

    public async ValueTask<Outcome<SecretBytes>> UnwrapAsync(
        KeyWrapContext context, string rootKeyId, ReadOnlyMemory<byte> wrapped, CancellationToken cancellation)
    {
        Interlocked.Increment(ref unwraps);
        await BeforeUnwrap(cancellation);
        return await inner.UnwrapAsync(context, rootKeyId, wrapped, cancellation);
    }
}
