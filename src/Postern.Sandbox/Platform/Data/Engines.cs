namespace Postern.Sandbox.Platform.Data;

/// <summary>The loaded engines: one per viewer, at most so many, the longest unused closed first and the idle ones in time.</summary>
internal sealed class Engines(PlatformOptions options, DataFiles files, TimeProvider time) : IDisposable
{
    private readonly Dictionary<string, Entry> entries = new(StringComparer.Ordinal);
    private readonly Lock gate = new();

    /// <summary>The viewer's engine, loaded on first use. It stays open until the lease is disposed.</summary>
    public async Task<EngineLease> RentAsync(Viewer viewer, CancellationToken cancellation)
    {
        Entry entry;
        lock (gate)
        {
            if (!entries.TryGetValue(viewer.Identity, out entry!))
                entries[viewer.Identity] = entry = new(viewer.Identity, Task.Run(() => Engine.Load(viewer, files, options), CancellationToken.None));
            entry.Users++;
        }

        try
        {
            return new EngineLease(await entry.Loading.WaitAsync(cancellation), broken => Return(entry, broken));
        }
        catch
        {
            Return(entry, broken: entry.Loading.IsFaulted);
            throw;
        }
    }

    /// <summary>Closes the engines that were idle for too long.</summary>
    public void Sweep()
    {
        lock (gate)
        {
            var before = time.GetUtcNow() - options.EngineIdle;
            foreach (var entry in entries.Values.Where(entry => entry.Users == 0 && entry.LastUsed < before).ToList())
                Remove(entry);
        }
    }

    /// <summary>How many engines are loaded or loading.</summary>
    public int Count
    {
        get
        {
            lock (gate)
                return entries.Count;
        }
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        lock (gate)
        {
            foreach (var entry in entries.Values.Where(entry => entry.Users == 0).ToList())
                Remove(entry);
        }
    }

    private void Return(Entry entry, bool broken)
    {
        lock (gate)
        {
            entry.Users--;
            entry.LastUsed = time.GetUtcNow();
            if (broken)
            {
                // Closing a broken engine can abort the process: it is dropped, not closed, and the next statement loads another.
                entries.Remove(entry.Identity);
                return;
            }

            var surplus = Math.Max(0, entries.Count - options.MaxEngines);
            foreach (var unused in entries.Values.Where(each => each.Users == 0).OrderBy(each => each.LastUsed).Take(surplus).ToList())
                Remove(unused);
        }
    }

    private void Remove(Entry entry)
    {
        entries.Remove(entry.Identity);
        if (entry.Loading.IsCompletedSuccessfully)
            entry.Loading.Result.Dispose();
    }

    private sealed class Entry(string identity, Task<Engine> loading)
    {
        public string Identity { get; } = identity;

        public Task<Engine> Loading { get; } = loading;

        public int Users { get; set; }

        public DateTimeOffset LastUsed { get; set; }
    }
}

/// <summary>The right to use an engine until disposed.</summary>
internal sealed class EngineLease(Engine engine, Action<bool> giveBack) : IDisposable
{
    /// <summary>The engine.</summary>
    public Engine Engine { get; } = engine;

    /// <summary>Set when the engine failed beyond use.</summary>
    public bool Broken { get; set; }

    /// <inheritdoc/>
    public void Dispose() => giveBack(Broken);
}
