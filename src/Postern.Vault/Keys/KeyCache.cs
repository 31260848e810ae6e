using Postern.Model;

namespace Postern.Vault;

/// <summary>
/// The unwrapped tenant keys of this process. A key leaves after <c>idle</c> without use or <c>lifetime</c> in all, whichever
/// is first; a sweep wipes keys that nobody asks for any more, at the latest a quarter of <c>idle</c> late.
/// </summary>
internal sealed class KeyCache : IDisposable
{
    private readonly Lock gate = new();
    private readonly Dictionary<(TenantId Tenant, Guid Version), Entry> keys = [];
    private readonly Dictionary<TenantId, (Guid Version, long ReadAt)> active = [];
    private readonly TimeSpan idle;
    private readonly TimeSpan lifetime;
    private readonly TimeProvider time;
    private readonly ITimer sweep;
    private long epoch;
    private bool disposed;

    public KeyCache(TimeSpan idle, TimeSpan lifetime, TimeProvider time)
    {
        this.idle = idle;
        this.lifetime = lifetime;
        this.time = time;
        sweep = time.CreateTimer(static cache => ((KeyCache)cache!).Sweep(), this, idle / 4, idle / 4);
    }

    /// <summary>Changes whenever something is forgotten; what was read before may not be put in after.</summary>
    public long Epoch
    {
        get
        {
            lock (gate)
                return epoch;
        }
    }

    /// <summary>A key by version.</summary>
    public bool TryGet(TenantId tenant, Guid version, out KeyLease lease)
    {
        lock (gate)
        {
            ObjectDisposedException.ThrowIf(disposed, this);
            return TryGetLocked(tenant, version, out lease);
        }
    }

    /// <summary>The key that seals, as of a reading not older than <c>idle</c>: another node may have rotated since.</summary>
    public bool TryGetActive(TenantId tenant, out KeyLease lease)
    {
        lock (gate)
        {
            ObjectDisposedException.ThrowIf(disposed, this);
            lease = default;
            return active.TryGetValue(tenant, out var pointer)
                && time.GetElapsedTime(pointer.ReadAt) < idle
                && TryGetLocked(tenant, pointer.Version, out lease);
        }
    }

    /// <summary>
    /// Puts a key in and takes over its first reference; false, and the reference stays the caller's, when something was forgotten
    /// since <paramref name="seen"/> or the cache is closed.
    /// </summary>
    public bool TryPut(TenantId tenant, TenantKey key, long seen)
    {
        lock (gate)
        {
            if (disposed || seen != epoch)
                return false;
            var now = time.GetTimestamp();
            if (keys.Remove((tenant, key.Version), out var old))
                old.Key.Release();
            keys[(tenant, key.Version)] = new(key, now) { UsedAt = now };
            return true;
        }
    }

    /// <summary>Notes which version seals; nothing when something was forgotten since <paramref name="seen"/>.</summary>
    public void NoteActive(TenantId tenant, Guid version, long seen)
    {
        lock (gate)
        {
            if (seen == epoch)
                active[tenant] = (version, time.GetTimestamp());
        }
    }

    /// <summary>Drops a tenant's keys; they are wiped as soon as no operation uses them.</summary>
    public void Forget(TenantId tenant)
    {
        lock (gate)
        {
            epoch++;
            active.Remove(tenant);
            Drop(entry => entry.Tenant == tenant);
        }
    }

    /// <summary>Drops all tenants' keys.</summary>
    public void ForgetAll()
    {
        lock (gate)
        {
            epoch++;
            active.Clear();
            Drop(static _ => true);
        }
    }

    /// <summary>Drops everything; no call is answered after this.</summary>
    public void Dispose()
    {
        sweep.Dispose();
        lock (gate)
        {
            disposed = true;
            epoch++;
            active.Clear();
            Drop(static _ => true);
        }
    }

    private bool TryGetLocked(TenantId tenant, Guid version, out KeyLease lease)
    {
        lease = default;
        if (!keys.TryGetValue((tenant, version), out var entry))
            return false;
        if (IsOver(entry))
        {
            keys.Remove((tenant, version));
            entry.Key.Release();
            return false;
        }
        entry.UsedAt = time.GetTimestamp();
        // The cache holds a reference under this lock, so this cannot fail.
        entry.Key.TryAcquire();
        lease = new(entry.Key);
        return true;
    }

    private bool IsOver(Entry entry) => time.GetElapsedTime(entry.UsedAt) >= idle || time.GetElapsedTime(entry.LoadedAt) >= lifetime;

    private void Sweep()
    {
        lock (gate)
        {
            foreach (var (name, entry) in keys)
            {
                if (IsOver(entry) && keys.Remove(name))
                    entry.Key.Release();
            }
        }
    }

    private void Drop(Func<(TenantId Tenant, Guid Version), bool> which)
    {
        foreach (var (name, entry) in keys)
        {
            if (which(name) && keys.Remove(name))
                entry.Key.Release();
        }
    }

    private sealed class Entry(TenantKey key, long loadedAt)
    {
        public TenantKey Key { get; } = key;

        public long LoadedAt { get; } = loadedAt;

        public long UsedAt { get; set; }
    }
}
