using Postern.Model;

namespace Postern.Vault;

// What a key store that is down is asked, whatever the load:
//
//   one key fails         its next attempt waits 1 s, then 2 s, then 4 s (with jitter, never longer)
//   three keys in a row   the whole store rests likewise; then one call goes ahead as a probe, the others are refused
//   any answer            the store is back: every pause that an outage caused ends at once
//   a missing root key    no answer and no failure: for a key of another store it was not even asked
//
// A refusal that the store itself gave (a wrapped key that was edited) counts as an answer, and pauses that key alone: nobody who
// can edit one row may stop the other tenants.

/// <summary>Decides whether the key store is asked now. Every permitted attempt ends with <see cref="Leave"/>.</summary>
internal sealed class KeyStoreGate(IChance chance, TimeProvider time)
{
    /// <summary>The longest time between an outage's last failure and the next attempt.</summary>
    public static readonly TimeSpan LongestPause = TimeSpan.FromSeconds(4);

    private const int KeysThatTrip = 3;
    private const int Remembered = 4096;
    private static readonly TimeSpan FirstPause = TimeSpan.FromSeconds(1);

    private readonly Lock gate = new();
    private readonly Dictionary<(TenantId Tenant, Guid Version), Pause> pauses = [];
    private readonly HashSet<(TenantId Tenant, Guid Version)> failedSinceAnswer = [];
    private Pause? rest;
    private bool probing;

    /// <summary>True when the caller may ask; false with the refusal to hand on, which says when to try again.</summary>
    public bool TryEnter((TenantId Tenant, Guid Version) key, out Refusal why)
    {
        lock (gate)
        {
            why = VaultErrors.Refuse(VaultError.KeyStoreUnavailable);
            if (pauses.TryGetValue(key, out var own) && Remaining(own) is { } wait)
            {
                why = own.Why with { RetryAfter = wait };
                return false;
            }
            if (rest is not { } resting)
                return true;
            if (probing || Remaining(resting) is not null)
            {
                why = resting.Why with { RetryAfter = Remaining(resting) ?? FirstPause };
                return false;
            }
            probing = true;
            return true;
        }
    }

    /// <summary>Notes how a permitted attempt ended.</summary>
    /// <param name="key">Which key it was about.</param>
    /// <param name="failure">Why it failed; null when it did not.</param>
    public void Leave((TenantId Tenant, Guid Version) key, Refusal? failure)
    {
        lock (gate)
        {
            probing = false;
            if (failure is null)
                pauses.Remove(key);
            else
                pauses[key] = Next(pauses.GetValueOrDefault(key), failure);

            if (failure?.AsVaultError() == VaultError.KeyStoreUnavailable)
                Failed(key, failure);
            else if (failure?.AsVaultError() != VaultError.RootKeyMissing)
                Answered();
        }
    }

    /// <summary>Lets a tenant's keys be asked for at once, after its wrapped keys changed.</summary>
    public void Forget(TenantId tenant)
    {
        lock (gate)
        {
            foreach (var key in pauses.Keys.Where(key => key.Tenant == tenant).ToList())
                pauses.Remove(key);
        }
    }

    private void Failed((TenantId, Guid) key, Refusal failure)
    {
        if (failedSinceAnswer.Count < KeysThatTrip)
            failedSinceAnswer.Add(key);
        if (failedSinceAnswer.Count >= KeysThatTrip)
            rest = Next(rest, failure);
        if (pauses.Count > Remembered)
        {
            foreach (var over in pauses.Where(pause => Remaining(pause.Value) is null).Select(pause => pause.Key).ToList())
                pauses.Remove(over);
        }
    }

    private void Answered()
    {
        rest = null;
        failedSinceAnswer.Clear();
        foreach (var key in pauses.Where(pause => pause.Value.Why.AsVaultError() == VaultError.KeyStoreUnavailable).Select(pause => pause.Key).ToList())
            pauses.Remove(key);
    }

    private Pause Next(Pause? before, Refusal why)
    {
        var failures = Math.Min((before?.Failures ?? 0) + 1, 8);
        var length = Math.Min(FirstPause.TotalSeconds * Math.Pow(2, failures - 1), LongestPause.TotalSeconds);
        return new(failures, time.GetTimestamp(), TimeSpan.FromSeconds(length * (0.75 + (0.25 * chance.NextFraction()))), why);
    }

    private TimeSpan? Remaining(Pause pause) =>
        time.GetElapsedTime(pause.Since) is var passed && passed < pause.Length ? pause.Length - passed : null;

    private sealed record Pause(int Failures, long Since, TimeSpan Length, Refusal Why);
}
