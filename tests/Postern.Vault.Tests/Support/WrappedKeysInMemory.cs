using Postern.Model;

namespace Postern.Vault.Tests;

/// <summary>The port's smallest honest implementation: one list under a lock, shared by the nodes of a test.</summary>
internal sealed class WrappedKeysInMemory : IWrappedKeys
{
    private readonly Lock gate = new();
    private readonly List<WrappedKey> rows = [];

    public int Reads { get; private set; }

    /// <summary>Runs just before a first key is added, outside the lock.</summary>
    public Func<WrappedKey, Task> BeforeAdd { get; set; } = static _ => Task.CompletedTask;

    public IReadOnlyList<WrappedKey> Rows
    {
        get
        {
            lock (gate)
                return [.. rows];
        }
    }

    public Task<IReadOnlyList<WrappedKey>> ReadAsync(TenantId tenant, CancellationToken cancellation)
    {
        lock (gate)
        {
            Reads++;
            return Task.FromResult<IReadOnlyList<WrappedKey>>([.. rows.Where(row => row.Tenant == tenant).OrderByDescending(row => row.Active)]);
        }
    }

    public async Task<bool> TryAddFirstAsync(WrappedKey key, CancellationToken cancellation)
    {
        await BeforeAdd(key);
        lock (gate)
        {
            if (rows.Any(row => row.Tenant == key.Tenant))
                return false;
            rows.Add(key);
            return true;
        }
    }

    /// <summary>What a rotation stores for a tenant.</summary>
    public void Replace(TenantId tenant, IEnumerable<WrappedKey> keys)
    {
        lock (gate)
        {
            rows.RemoveAll(row => row.Tenant == tenant);
            rows.AddRange(keys);
        }
    }

    /// <summary>What somebody with write access to the table could do.</summary>
    public void Edit(Func<WrappedKey, WrappedKey?> edit)
    {
        lock (gate)
        {
            var edited = rows.Select(edit).OfType<WrappedKey>().ToList();
            rows.Clear();
            rows.AddRange(edited);
        }
    }
}
