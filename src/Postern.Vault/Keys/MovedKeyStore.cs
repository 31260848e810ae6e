using Postern.Model;

namespace Postern.Vault;

/// <summary>
/// A key store in another's place: every key is wrapped by the current one, and what the former one wrapped is unwrapped there until it
/// was wrapped anew. The id beside a wrapped key says which of the two it is; each then judges that id and the bytes as it always does.
/// </summary>
internal sealed class MovedKeyStore(IKeyStore current, IKeyStore former) : IKeyStore, IDisposable
{
    /// <inheritdoc/>
    public string Description => $"{current.Description}; what was wrapped before is unwrapped by {former.Description}";

    /// <inheritdoc/>
    public ValueTask<Outcome<string>> CurrentRootKeyIdAsync(CancellationToken cancellation) => current.CurrentRootKeyIdAsync(cancellation);

    /// <inheritdoc/>
    public ValueTask<Outcome<RootWrapping>> WrapAsync(KeyWrapContext context, SecretBytes key, CancellationToken cancellation) =>
        current.WrapAsync(context, key, cancellation);

    /// <inheritdoc/>
    public ValueTask<Outcome<SecretBytes>> UnwrapAsync(
        KeyWrapContext context, string rootKeyId, ReadOnlyMemory<byte> wrapped, CancellationToken cancellation) =>
        (current.Owns(rootKeyId) ? current : former).UnwrapAsync(context, rootKeyId, wrapped, cancellation);

    /// <inheritdoc/>
    public async ValueTask<Outcome<RootWrapping>> RewrapAsync(
        KeyWrapContext context, string rootKeyId, ReadOnlyMemory<byte> wrapped, CancellationToken cancellation)
    {
        if (current.Owns(rootKeyId))
            return await current.RewrapAsync(context, rootKeyId, wrapped, cancellation);
        var unwrapped = await former.UnwrapAsync(context, rootKeyId, wrapped, cancellation);
        if (!unwrapped.TryGet(out var key, out var why))
            return why;
        using (key)
            return await current.WrapAsync(context, key, cancellation);
    }

    /// <inheritdoc/>
    public async ValueTask<Outcome<IReadOnlyList<RootKeyInfo>>> RootKeysAsync(CancellationToken cancellation)
    {
        if (!(await former.RootKeysAsync(cancellation)).TryGet(out var before, out var silent))
            return silent;
        if (!(await current.RootKeysAsync(cancellation)).TryGet(out var now, out var why))
            return why;
        return Outcome<IReadOnlyList<RootKeyInfo>>.Of([.. before.Select(key => key with { Current = false }), .. now]);
    }

    /// <inheritdoc/>
    public bool Owns(string rootKeyId) => current.Owns(rootKeyId) || former.Owns(rootKeyId);

    /// <inheritdoc/>
    public void Refresh()
    {
        current.Refresh();
        former.Refresh();
    }

    /// <summary>Ends both.</summary>
    public void Dispose()
    {
        (current as IDisposable)?.Dispose();
        (former as IDisposable)?.Dispose();
    }
}
