namespace Postern.Sandbox.Control;

/// <summary>
/// The secrets of the back channels in clear, for searches that must know what to look for. The sandbox stands for the outside world,
/// which knows its own tokens; it writes them only where <see cref="SandboxAdditions.SecretsFile"/> says.
/// </summary>
/// <param name="file">Where; <see langword="null"/> for nowhere.</param>
internal sealed class SecretsLog(string? file)
{
    private readonly Lock _gate = new();

    /// <summary>Appends what there is, a line each.</summary>
    public void Write(params ReadOnlySpan<string?> secrets)
    {
        if (file is null)
        {
            return;
        }

        lock (_gate)
        {
            using var writer = File.AppendText(file);
            foreach (var secret in secrets)
            {
                if (!string.IsNullOrEmpty(secret))
                {
                    writer.WriteLine(secret);
                }
            }
        }
    }
}
