using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;
using Postern.Model;

namespace Postern.Vault;

/// <summary>
/// Seals and opens records, and authenticates rows, under the tenant's own key. Safe for any number of threads; one per process.
/// Named for what it guards: a class with the name of its namespace could not be used by that name.
/// </summary>
/// <remarks>
/// What may be expected of stored bytes (edited, moved, foreign, old) is an <see cref="Outcome{T}"/> whose refusal
/// <see cref="VaultErrors.AsVaultError"/> reads. Exceptions are for a broken world: the wrapped keys' store does not answer
/// (its own exception), or sealing has no key (<see cref="VaultException"/>).
/// </remarks>
public sealed class TokenVault : IDisposable
{
    private readonly VaultOptions options;
    private readonly IChance chance;
    private readonly TenantKeys keys;

    /// <summary>Makes a vault; the key store and the wrapped keys' store stay the caller's to dispose.</summary>
    /// <exception cref="ArgumentException">The options are wrong; every error is named.</exception>
    public TokenVault(
        VaultOptions options, IKeyStore keyStore, IWrappedKeys wrappedKeys, IChance chance, TimeProvider time, ILogger<TokenVault>? log = null)
    {
        this.options = options.Checked();
        this.chance = chance;
        ILogger logger = log ?? NullLogger<TokenVault>.Instance;
        keys = new(options, keyStore, wrappedKeys, chance, time, logger);
        VaultLog.KeyStoreInUse(logger, keyStore.Description);
    }

    /// <summary>The length of the record that a plaintext of this length becomes.</summary>
    /// <exception cref="ArgumentOutOfRangeException">Negative, or more than <see cref="RecordFormat.MaxPlaintextLength"/>.</exception>
    public static int SealedLength(int plaintextLength) => RecordFormat.SealedLength(plaintextLength);

    /// <summary>Seals a secret, which stays the caller's to wipe.</summary>
    /// <exception cref="VaultException">The tenant's key could not be had.</exception>
    /// <exception cref="ArgumentOutOfRangeException">The plaintext is longer than <see cref="RecordFormat.MaxPlaintextLength"/>.</exception>
    public async ValueTask<byte[]> SealAsync(RecordContext context, SecretBytes plaintext, CancellationToken cancellation)
    {
        var record = new byte[SealedLength(plaintext.Length)];
        using var lease = await ActiveAsync(context.Tenant, cancellation);
        Seal(lease.Key, context, plaintext.Reveal(), record);
        return record;
    }

    /// <summary>Seals bytes. They are read before this returns, or copied into memory that is wiped afterwards.</summary>
    /// <inheritdoc cref="SealAsync(RecordContext, SecretBytes, CancellationToken)"/>
    public ValueTask<byte[]> SealAsync(RecordContext context, ReadOnlySpan<byte> plaintext, CancellationToken cancellation)
    {
        var length = SealedLength(plaintext.Length);
        if (!keys.TryActive(context.Tenant, out var lease))
            return SealCopyAsync(context, new SecretBytes(plaintext), cancellation);
        using (lease)
        {
            var record = new byte[length];
            Seal(lease.Key, context, plaintext, record);
            return new(record);
        }
    }

    /// <summary>Seals into a buffer of at least <see cref="SealedLength"/> bytes and returns the record's length; allocates no array.</summary>
    /// <inheritdoc cref="SealAsync(RecordContext, SecretBytes, CancellationToken)"/>
    /// <exception cref="ArgumentException">The buffer is too short.</exception>
    public async ValueTask<int> SealAsync(
        RecordContext context, ReadOnlyMemory<byte> plaintext, Memory<byte> destination, CancellationToken cancellation)
    {
        var length = SealedLength(plaintext.Length);
        if (destination.Length < length)
            throw new ArgumentException("The buffer is shorter than SealedLength of the plaintext.", nameof(destination));
        using var lease = await ActiveAsync(context.Tenant, cancellation);
        Seal(lease.Key, context, plaintext.Span, destination.Span[..length]);
        return length;
    }

    /// <summary>Opens a record. The caller wipes what it gets.</summary>
    /// <returns>
    /// The plaintext, or a refusal: <see cref="VaultError.NotARecord"/> and <see cref="VaultError.UnsupportedSuite"/> before any key
    /// is asked for, <see cref="VaultError.UnknownKeyVersion"/>, <see cref="VaultError.Refused"/>, <see cref="VaultError.KeyStoreUnavailable"/>.
    /// </returns>
    public async ValueTask<Outcome<SecretBytes>> OpenAsync(
        RecordContext context, ReadOnlyMemory<byte> record, CancellationToken cancellation)
    {
        if (Judge(record.Span) is { } wrong)
            return wrong;
        var acquired = await keys.VersionAsync(context.Tenant, RecordFormat.ReadKeyVersion(record.Span), cancellation);
        if (!acquired.TryGet(out var lease, out var why))
            return why;
        using (lease)
        {
            using var associatedData = AssociatedData.OfRecord(RecordFormat.ReadSuite(record.Span), lease.Key.Version, options.Deployment, context);
            var plaintext = RecordCipher.TryOpen(lease.Key.RecordKey, RecordFormat.ReadSuite(record.Span), associatedData.Bytes, record.Span);
            return plaintext is null ? VaultErrors.Refuse(VaultError.Refused) : plaintext;
        }
    }

    /// <summary>
    /// Opens a record into a buffer of the caller's, at least <see cref="RecordFormat.PlaintextLength"/> bytes, and returns the
    /// plaintext's length; allocates no array. On a refusal the buffer holds zeros. The caller wipes it.
    /// </summary>
    /// <inheritdoc cref="OpenAsync(RecordContext, ReadOnlyMemory{byte}, CancellationToken)"/>
    /// <exception cref="ArgumentException">The buffer is too short.</exception>
    public async ValueTask<Outcome<int>> OpenAsync(
        RecordContext context, ReadOnlyMemory<byte> record, Memory<byte> destination, CancellationToken cancellation)
    {
        if (Judge(record.Span) is { } wrong)
            return wrong;
        var length = RecordFormat.PlaintextLength(record.Length);
        if (destination.Length < length)
            throw new ArgumentException("The buffer is shorter than PlaintextLength of the record.", nameof(destination));
        var acquired = await keys.VersionAsync(context.Tenant, RecordFormat.ReadKeyVersion(record.Span), cancellation);
        if (!acquired.TryGet(out var lease, out var why))
            return why;
        using (lease)
            return TryOpen(lease.Key, context, record.Span, destination.Span[..length]) ? length : VaultErrors.Refuse(VaultError.Refused);
    }

    /// <summary>The MAC of a row under the tenant's key: <see cref="RowMac.Length"/> bytes to store beside it.</summary>
    /// <param name="context">Which row.</param>
    /// <param name="message">The columns it protects, as <see cref="CanonicalFields"/>.</param>
    /// <param name="cancellation">Ends the waiting for a key.</param>
    /// <exception cref="VaultException">The tenant's key could not be had.</exception>
    public async ValueTask<byte[]> MacAsync(MacContext context, ReadOnlyMemory<byte> message, CancellationToken cancellation)
    {
        var mac = new byte[RowMac.Length];
        using var lease = await ActiveAsync(context.Tenant, cancellation);
        RowMac.Write(lease.Key.MacKey, lease.Key.Version, options.Deployment, context, message.Span, mac);
        return mac;
    }

    /// <summary>Checks the MAC of a row, in constant time.</summary>
    /// <returns>Done, or the same refusals as <see cref="OpenAsync(RecordContext, ReadOnlyMemory{byte}, CancellationToken)"/>; <see cref="VaultError.Refused"/> means that somebody edited the row.</returns>
    public async ValueTask<Outcome<Done>> VerifyMacAsync(
        MacContext context, ReadOnlyMemory<byte> message, ReadOnlyMemory<byte> mac, CancellationToken cancellation)
    {
        if (!RowMac.LooksLikeMac(mac.Span))
            return VaultErrors.Refuse(VaultError.NotARecord, "A stored value is not a row MAC.");
        if (RowMac.ReadSuite(mac.Span) != RowMac.Suite)
            return VaultErrors.Refuse(VaultError.UnsupportedSuite);

        var acquired = await keys.VersionAsync(context.Tenant, RowMac.ReadKeyVersion(mac.Span), cancellation);
        if (!acquired.TryGet(out var lease, out var why))
            return why;
        using (lease)
            return RowMac.Fits(lease.Key.MacKey, lease.Key.Version, options.Deployment, context, message.Span, mac.Span)
                ? default(Done)
                : VaultErrors.Refuse(VaultError.Refused, "A stored row was edited by somebody without the key, or belongs elsewhere.");
    }

    /// <summary>
    /// Opens a record and seals its plaintext anew under the tenant's active key: for the sweep that ends an old key version. The
    /// plaintext stays in memory that is wiped. The caller replaces the row only where it still holds <paramref name="record"/>.
    /// </summary>
    /// <returns>The new record, or the refusals of <see cref="OpenAsync(RecordContext, ReadOnlyMemory{byte}, CancellationToken)"/>.</returns>
    /// <exception cref="VaultException">The tenant's active key could not be had.</exception>
    public async ValueTask<Outcome<byte[]>> ResealAsync(RecordContext context, ReadOnlyMemory<byte> record, CancellationToken cancellation)
    {
        if (!(await OpenAsync(context, record, cancellation)).TryGet(out var plaintext, out var why))
            return why;
        using (plaintext)
            return await SealAsync(context, plaintext, cancellation);
    }

    /// <summary>
    /// Makes a new version of a tenant's key, wrapped by the current root key, for the caller to store as the active one by
    /// compare-and-set; nothing seals with it before it is stored and <see cref="Forget"/> was called.
    /// </summary>
    /// <returns>The wrapped key, or <see cref="VaultError.KeyStoreUnavailable"/>.</returns>
    public async ValueTask<Outcome<WrappedKey>> NewKeyVersionAsync(TenantId tenant, CancellationToken cancellation) =>
        await keys.NewVersionAsync(tenant, cancellation);

    /// <summary>
    /// Wraps a tenant key under the current root key, for the caller to store by compare-and-set on the old bytes. Records do not
    /// change; a key already under the current root key is wrapped again all the same.
    /// </summary>
    /// <returns>The same key version wrapped anew, or what kept it from being unwrapped.</returns>
    public async ValueTask<Outcome<WrappedKey>> RewrapAsync(WrappedKey key, CancellationToken cancellation) =>
        await keys.RewrapAsync(key, cancellation);

    /// <summary>Drops a tenant's keys from memory, after its wrapped keys changed or were destroyed; they are read again when needed.</summary>
    public void Forget(TenantId tenant) => keys.Forget(tenant);

    /// <summary>Drops all tenants' keys from memory, when it is not known whose changed.</summary>
    public void ForgetAll() => keys.ForgetAll();

    /// <summary>Wipes every key. Operations under way end; later ones throw <see cref="ObjectDisposedException"/>.</summary>
    public void Dispose() => keys.Dispose();

    /// <summary>What can be said of a record without a key: null when nothing is wrong so far.</summary>
    private Refusal? Judge(ReadOnlySpan<byte> record)
    {
        if (!RecordFormat.LooksLikeRecord(record))
            return VaultErrors.Refuse(VaultError.NotARecord);
        return options.OpenSuites.Contains(RecordFormat.ReadSuite(record)) ? null : VaultErrors.Refuse(VaultError.UnsupportedSuite);
    }

    private bool TryOpen(TenantKey key, RecordContext context, ReadOnlySpan<byte> record, Span<byte> plaintext)
    {
        var suite = RecordFormat.ReadSuite(record);
        using var associatedData = AssociatedData.OfRecord(suite, key.Version, options.Deployment, context);
        return RecordCipher.TryOpen(key.RecordKey, suite, associatedData.Bytes, record, plaintext);
    }

    private async ValueTask<byte[]> SealCopyAsync(RecordContext context, SecretBytes copy, CancellationToken cancellation)
    {
        using (copy)
            return await SealAsync(context, copy, cancellation);
    }

    private async ValueTask<KeyLease> ActiveAsync(TenantId tenant, CancellationToken cancellation) =>
        (await keys.ActiveAsync(tenant, cancellation)).TryGet(out var lease, out var why) ? lease : throw new VaultException(why);

    private void Seal(TenantKey key, RecordContext context, ReadOnlySpan<byte> plaintext, Span<byte> destination)
    {
        using var associatedData = AssociatedData.OfRecord(options.SealSuite, key.Version, options.Deployment, context);
        RecordCipher.Seal(key.RecordKey, options.SealSuite, key.Version, associatedData.Bytes, plaintext, chance, destination);
    }
}
