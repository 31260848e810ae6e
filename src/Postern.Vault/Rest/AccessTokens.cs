using Postern.Model;

namespace Postern.Vault;

/// <summary>A credential for a service, and until when.</summary>
/// <param name="Value">The credential.</param>
/// <param name="Lifetime">How long it is good from now on; null when it does not end by itself.</param>
internal sealed record AccessToken<T>(T Value, TimeSpan? Lifetime);

/// <summary>
/// Keeps one credential for a service and fetches the next before it ends, one fetch at a time. A credential is used for four fifths
/// of its life at most, because the machine's clock and the service's differ.
/// </summary>
internal sealed class AccessTokens<T>(Func<CancellationToken, Task<Outcome<AccessToken<T>>>> fetch, TimeProvider time) : IDisposable
    where T : notnull
{
    private readonly SemaphoreSlim one = new(1, 1);
    private (T Value, long Since, TimeSpan? Use)? kept;

    /// <summary>The credential, fetched where needed.</summary>
    /// <param name="refused">A credential that the service refused just now: another is fetched if it is still the kept one.</param>
    public async Task<Outcome<T>> GetAsync(T? refused, CancellationToken cancellation)
    {
        await one.WaitAsync(cancellation);
        try
        {
            if (kept is { } have && !Equals(have.Value, refused) && (have.Use is null || time.GetElapsedTime(have.Since) < have.Use))
                return have.Value;
            kept = null;
            if (!(await fetch(cancellation)).TryGet(out var fresh, out var why))
                return why;
            kept = (fresh.Value, time.GetTimestamp(), fresh.Lifetime * 0.8);
            return fresh.Value;
        }
        finally
        {
            one.Release();
        }
    }

    public void Dispose() => one.Dispose();
}

/// <summary>Files that hold credentials, read when used: whoever renews them (an agent, Kubernetes, systemd) replaces the file.</summary>
internal static class CredentialFile
{
    private const int MaxLength = 64 * 1024;

    /// <summary>The file's text without its last line break.</summary>
    public static async Task<Outcome<SecretText>> ReadAsync(string path, CancellationToken cancellation)
    {
        try
        {
            if (new FileInfo(path).Length > MaxLength)
                return Refuse(path, $"is longer than {MaxLength} bytes");
            var text = (await File.ReadAllTextAsync(path, cancellation)).TrimEnd('\r', '\n');
            return text.Length > 0 ? new SecretText(text) : Refuse(path, "is empty");
        }
        catch (Exception failure) when (failure is IOException or UnauthorizedAccessException)
        {
            return Refuse(path, $"cannot be read ({failure.GetType().Name})");
        }
    }

    private static Refusal Refuse(string path, string what) => VaultErrors.Refuse(
        VaultError.KeyStoreUnavailable, $"The key store's credential file {path} {what}. Check the path and who may read it.");
}
