using System.Text;
using Postern.Model;
using Postern.Vault;

namespace Postern.TestKit;

/// <summary>What every <see cref="IKeyStore"/> must do. Only refusals of the vault come out of one, whatever goes in.</summary>
public static class KeyStoreBehaviours
{
    private static readonly byte[] KeyBytes = Encoding.ASCII.GetBytes("0123456789abcdef-a-tenant-key-32");

    private static readonly KeyWrapContext Context = new(
        "testkit", TenantId.Parse("acme"), new Guid("0199a1b2-0000-7000-8000-0000000000aa"), KeyWrapContext.TenantKeyPurpose);

    /// <summary>All of them.</summary>
    public static IReadOnlyList<Behaviour<KeyStoreFixture>> All { get; } =
    [
        new("WrappedKey_Unwrapped_IsTheKey", WrappedKey_Unwrapped_IsTheKey),
        new("WrappedKey_OnAnotherNode_IsTheKey", WrappedKey_OnAnotherNode_IsTheKey),
        new("WrappedKey_ByItself_DoesNotShowTheKey", WrappedKey_ByItself_DoesNotShowTheKey),
        new("Key_WrappedTwice_GivesDifferentBytes", Key_WrappedTwice_GivesDifferentBytes),
        new("WrappedKey_InAnotherContext_IsRefused", WrappedKey_InAnotherContext_IsRefused),
        new("WrappedKey_Damaged_IsRefused", WrappedKey_Damaged_IsRefused),
        new("WrappedKey_CutOrExtendedOrForeign_IsRefused", WrappedKey_CutOrExtendedOrForeign_IsRefused),
        new("RootKey_OfAnotherStore_IsUnknown", RootKey_OfAnotherStore_IsUnknown),
        new("RootKeys_Listed_NameTheOneThatWraps", RootKeys_Listed_NameTheOneThatWraps),
        new("WrappedKey_Rewrapped_IsTheSameKeyUnderTheCurrentRootKey", WrappedKey_Rewrapped_IsTheSameKeyUnderTheCurrentRootKey),
        new("WrappedKey_RewrappedInAnotherContext_IsRefused", WrappedKey_RewrappedInAnotherContext_IsRefused),
        new("Rotation_OldWrappedKey_StillUnwrapsAndMovesOn", Rotation_OldWrappedKey_StillUnwrapsAndMovesOn),
        new("Cancellation_AlreadyAsked_IsHeeded", Cancellation_AlreadyAsked_IsHeeded),
        new("Calls_AtOnce_AreAllAnswered", Calls_AtOnce_AreAllAnswered),
        new("Description_ForTheOperator_IsThere", Description_ForTheOperator_IsThere),
    ];

    private static async Task WrappedKey_Unwrapped_IsTheKey(KeyStoreFixture fixture, CancellationToken cancellation)
    {
        var store = fixture.Open();
        var wrapping = await WrapAsync(store, cancellation);
        await MustUnwrapAsync(store, wrapping, cancellation);
        var current = Value(await store.CurrentRootKeyIdAsync(cancellation), "the current root key");
        Must.Equal(current, wrapping.RootKeyId, "The root key that wrapped");
    }

    private static async Task WrappedKey_OnAnotherNode_IsTheKey(KeyStoreFixture fixture, CancellationToken cancellation) =>
        await MustUnwrapAsync(fixture.Open(), await WrapAsync(fixture.Open(), cancellation), cancellation);

    private static async Task WrappedKey_ByItself_DoesNotShowTheKey(KeyStoreFixture fixture, CancellationToken cancellation)
    {
        var wrapping = await WrapAsync(fixture.Open(), cancellation);
        foreach (var form in new[] { KeyBytes, Encoding.ASCII.GetBytes(Convert.ToBase64String(KeyBytes))[..40], Encoding.ASCII.GetBytes(Convert.ToHexString(KeyBytes)) })
            Must.Be(wrapping.Wrapped.AsSpan().IndexOf(form) < 0, "The wrapped key holds the key.");
    }

    private static async Task Key_WrappedTwice_GivesDifferentBytes(KeyStoreFixture fixture, CancellationToken cancellation)
    {
        var store = fixture.Open();
        var (first, second) = (await WrapAsync(store, cancellation), await WrapAsync(store, cancellation));
        Must.Be(!first.Wrapped.AsSpan().SequenceEqual(second.Wrapped), "Two wrappings of one key are the same bytes.");
    }

    private static async Task WrappedKey_InAnotherContext_IsRefused(KeyStoreFixture fixture, CancellationToken cancellation)
    {
        var store = fixture.Open();
        var wrapping = await WrapAsync(store, cancellation);
        foreach (var other in Others())
            await MustRefuseAsync(store, other, wrapping, $"in the context {other}", cancellation, VaultError.Refused);
        await MustUnwrapAsync(store, wrapping, cancellation);
    }

    private static async Task WrappedKey_Damaged_IsRefused(KeyStoreFixture fixture, CancellationToken cancellation)
    {
        var store = fixture.Open();
        var wrapping = await WrapAsync(store, cancellation);
        var step = Math.Max(1, wrapping.Wrapped.Length / Math.Max(1, fixture.DamagedPositions));
        for (var offset = 0; offset < wrapping.Wrapped.Length; offset += step)
        {
            var damaged = wrapping.Wrapped.ToArray();
            damaged[offset] ^= 0x04;
            await MustRefuseAsync(store, Context, wrapping with { Wrapped = damaged }, $"with byte {offset} damaged", cancellation);
        }
    }

    private static async Task WrappedKey_CutOrExtendedOrForeign_IsRefused(KeyStoreFixture fixture, CancellationToken cancellation)
    {
        var store = fixture.Open();
        var wrapping = await WrapAsync(store, cancellation);
        byte[][] forms =
        [
            [], [0], wrapping.Wrapped[..^1], wrapping.Wrapped[1..], wrapping.Wrapped[..(wrapping.Wrapped.Length / 2)], [.. wrapping.Wrapped, 0],
            new byte[100_000], Encoding.ASCII.GetBytes("vault:v1:"), Encoding.UTF8.GetBytes("vault:v1:é"),
        ];
        foreach (var form in forms)
            await MustRefuseAsync(store, Context, wrapping with { Wrapped = form }, $"as {form.Length} other bytes", cancellation);
    }

    private static async Task RootKey_OfAnotherStore_IsUnknown(KeyStoreFixture fixture, CancellationToken cancellation)
    {
        var store = fixture.Open();
        var wrapping = await WrapAsync(store, cancellation);
        foreach (var id in new[] { "", "no-such-key", "https://attacker.example/keys/k/1", "../../" + wrapping.RootKeyId, wrapping.RootKeyId + "/../other" })
            await MustRefuseAsync(store, Context, wrapping with { RootKeyId = id }, $"by a root key '{id}'", cancellation);
    }

    private static async Task RootKeys_Listed_NameTheOneThatWraps(KeyStoreFixture fixture, CancellationToken cancellation)
    {
        var store = fixture.Open();
        var wrapping = await WrapAsync(store, cancellation);
        var keys = Value(await store.RootKeysAsync(cancellation), "the list of root keys");
        Must.Equal(1, keys.Count(key => key.Current), "Root keys that wrap");
        Must.Equal(wrapping.RootKeyId, keys.Single(key => key.Current).Id, "The root key that wraps");
        Must.Equal(keys.Count, keys.DistinctBy(key => key.Id).Count(), "Different ids");
    }

    private static async Task WrappedKey_Rewrapped_IsTheSameKeyUnderTheCurrentRootKey(KeyStoreFixture fixture, CancellationToken cancellation)
    {
        var store = fixture.Open();
        var wrapping = await WrapAsync(store, cancellation);
        var again = Value(await store.RewrapAsync(Context, wrapping.RootKeyId, wrapping.Wrapped, cancellation), "wrapping again");
        Must.Be(!again.Wrapped.AsSpan().SequenceEqual(wrapping.Wrapped), "Wrapping again changed nothing.");
        await MustUnwrapAsync(store, again, cancellation);
        await MustUnwrapAsync(store, wrapping, cancellation);
    }

    private static async Task WrappedKey_RewrappedInAnotherContext_IsRefused(KeyStoreFixture fixture, CancellationToken cancellation)
    {
        var store = fixture.Open();
        var wrapping = await WrapAsync(store, cancellation);
        foreach (var other in Others())
        {
            var outcome = await store.RewrapAsync(other, wrapping.RootKeyId, wrapping.Wrapped, cancellation);
            Must.Equal(VaultError.Refused, outcome.Refusal?.AsVaultError(), $"Wrapping again in the context {other}");
        }
    }

    private static async Task Rotation_OldWrappedKey_StillUnwrapsAndMovesOn(KeyStoreFixture fixture, CancellationToken cancellation)
    {
        if (!fixture.CanRotate)
            return;
        var store = fixture.Open();
        var old = await WrapAsync(store, cancellation);
        await fixture.RotateAsync(cancellation);

        var node = fixture.Open();
        await MustUnwrapAsync(node, old, cancellation);
        await MustUnwrapAsync(store, old, cancellation);
        var fresh = await WrapAsync(node, cancellation);
        Must.Equal(fixture.RotationChangesTheId, fresh.RootKeyId != old.RootKeyId, "The rotation changes the root key's id");
        // A node that has not heard of the rotation unwraps what one that has wrapped.
        await MustUnwrapAsync(store, fresh, cancellation);
        var moved = Value(await node.RewrapAsync(Context, old.RootKeyId, old.Wrapped, cancellation), "wrapping again");
        Must.Equal(fresh.RootKeyId, moved.RootKeyId, "The root key after wrapping again");
        await MustUnwrapAsync(node, moved, cancellation);
        if (fixture.RotationChangesTheId)
        {
            await MustRefuseIfBoundAsync(node, old with { RootKeyId = fresh.RootKeyId }, cancellation);
            var keys = Value(await node.RootKeysAsync(cancellation), "the list of root keys");
            Must.Be(keys.Any(key => key.Id == old.RootKeyId && !key.Current), "The old root key is not listed as one that unwraps.");
        }
    }

    private static async Task Cancellation_AlreadyAsked_IsHeeded(KeyStoreFixture fixture, CancellationToken cancellation)
    {
        var store = fixture.Open();
        var wrapping = await WrapAsync(store, cancellation);
        using var asked = new CancellationTokenSource();
        await asked.CancelAsync();
        using var key = new SecretBytes(KeyBytes);
        await MustCancelAsync(async () => await store.WrapAsync(Context, key, asked.Token));
        await MustCancelAsync(async () => await store.UnwrapAsync(Context, wrapping.RootKeyId, wrapping.Wrapped, asked.Token));
    }

    private static async Task Calls_AtOnce_AreAllAnswered(KeyStoreFixture fixture, CancellationToken cancellation)
    {
        var store = fixture.Open();
        var wrappings = await Task.WhenAll(Enumerable.Range(0, 12).Select(_ => WrapAsync(store, cancellation)));
        await Task.WhenAll(wrappings.Select(wrapping => MustUnwrapAsync(store, wrapping, cancellation)));
    }

    private static Task Description_ForTheOperator_IsThere(KeyStoreFixture fixture, CancellationToken cancellation)
    {
        Must.Be(fixture.Open().Description.Length > 10, "The description says nothing.");
        return Task.CompletedTask;
    }

    private static KeyWrapContext[] Others() =>
    [
        Context with { Deployment = "another" },
        Context with { Tenant = TenantId.Parse("globex") },
        Context with { KeyVersion = Guid.Empty },
        Context with { Purpose = "another" },
    ];

    private static async Task<RootWrapping> WrapAsync(IKeyStore store, CancellationToken cancellation)
    {
        using var key = new SecretBytes(KeyBytes);
        return Value(await store.WrapAsync(Context, key, cancellation), "wrapping");
    }

    private static async Task MustUnwrapAsync(IKeyStore store, RootWrapping wrapping, CancellationToken cancellation)
    {
        using var expected = new SecretBytes(KeyBytes);
        using var key = Value(await store.UnwrapAsync(Context, wrapping.RootKeyId, wrapping.Wrapped, cancellation), "unwrapping");
        Must.Be(key.Equals(expected), "The unwrapped key is another.");
    }

    private static async Task MustRefuseAsync(
        IKeyStore store, KeyWrapContext context, RootWrapping wrapping, string how, CancellationToken cancellation, VaultError? expected = null)
    {
        var outcome = await store.UnwrapAsync(context, wrapping.RootKeyId, wrapping.Wrapped, cancellation);
        if (outcome.TryGet(out var key, out var why))
        {
            key.Dispose();
            throw new BehaviourBrokenException($"A wrapped key was unwrapped {how}.");
        }
        // Not "does not answer": that would be tried again for ever.
        Must.Be(
            why.AsVaultError() is VaultError.Refused or VaultError.NotARecord or VaultError.UnsupportedSuite or VaultError.RootKeyMissing,
            $"A wrapped key {how} is answered with '{why.Code}': {why.Detail}");
        if (expected is { } error)
            Must.Equal(error, why.AsVaultError()!.Value, $"A wrapped key {how}");
    }

    /// <summary>A store that cannot tell versions apart by what is wrapped must still give the right key or none.</summary>
    private static async Task MustRefuseIfBoundAsync(IKeyStore store, RootWrapping wrapping, CancellationToken cancellation)
    {
        var outcome = await store.UnwrapAsync(Context, wrapping.RootKeyId, wrapping.Wrapped, cancellation);
        using var expected = new SecretBytes(KeyBytes);
        if (outcome.TryGet(out var key, out var why))
            Must.Be(key.Equals(expected), "A wrapped key stored with another root key's id gave another key.");
        else
            Must.Equal(VaultError.Refused, why.AsVaultError(), "A wrapped key stored with another root key's id");
    }

    private static async Task MustCancelAsync(Func<Task> call)
    {
        try
        {
            await call();
        }
        catch (OperationCanceledException)
        {
            return;
        }
        throw new BehaviourBrokenException("A call that was cancelled before it began was answered.");
    }

    private static T Value<T>(Outcome<T> outcome, string what) where T : notnull =>
        outcome.TryGet(out var value, out var why) ? value : throw new BehaviourBrokenException($"{what}: {why.Code}: {why.Detail}");
}
