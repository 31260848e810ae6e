using System.Globalization;
using System.Text.Json;
using Microsoft.Extensions.Logging;
using Postern.Vault;

namespace Postern.Grants.Spooling;

// What is on the disk:
//   directory   GrantOptions.SpoolDirectory, mode 0700, on a volume that outlives the process; one node alone uses it
//   file        {grant}-{generation}.json, mode 0600, at most GrantOptions.SpoolFiles of them, 64 KiB each
//   content     tokens as records of the vault, bound to grant, subject, connection, generation and digest: no use without the key store
//   life        written when the store refuses a renewed pair, removed when the store has taken it, or was told why not
// Written to a temporary name, flushed, renamed, and the directory flushed: a file is whole or not there, and what TryWrite said is kept
// survives a power failure. A removal is not flushed: to settle a pair twice does no harm.

/// <summary>Where renewed pairs wait while the store takes no writes, so that they outlive this process.</summary>
internal sealed partial class PairSpool(GrantOptions options, ILogger<PairSpool> log)
{
    private const UnixFileMode Private = UnixFileMode.UserRead | UnixFileMode.UserWrite;
    private const UnixFileMode PrivateDirectory = Private | UnixFileMode.UserExecute;
    private const int LargestFile = 64 * 1024;

    /// <summary>How many pairs wait.</summary>
    public int Count => options.SpoolDirectory is { } directory && Directory.Exists(directory) ? Files(directory).Count() : 0;

    /// <summary>Makes the directory, or refuses one that others can read.</summary>
    /// <exception cref="IOException">It cannot be made, or it is open to others; the message says what to do.</exception>
    public void Prepare()
    {
        if (options.SpoolDirectory is not { } directory)
            return;
        if (OperatingSystem.IsWindows())
            throw new IOException("A spool directory needs file modes, which this system does not have. Leave Node:SpoolDirectory out.");
        Directory.CreateDirectory(directory, PrivateDirectory);
        var mode = File.GetUnixFileMode(directory);
        if ((mode & ~PrivateDirectory) != 0)
            throw new IOException($"The spool directory {directory} is open to others. Run: chmod 700 '{directory}'");
    }

    /// <summary>Keeps a pair; false when there is no spool, it is full, or it cannot be written: then the pair is in memory alone.</summary>
    public bool TryWrite(SpooledPair pair)
    {
        if (options.SpoolDirectory is not { } directory || OperatingSystem.IsWindows())
            return false;
        try
        {
            if (Files(directory).Count() >= options.SpoolFiles)
            {
                Full(log, pair.Grant, options.SpoolFiles);
                return false;
            }
            var file = FileOf(directory, pair);
            var unfinished = file + ".tmp";
            File.Delete(unfinished);
            using (var stream = new FileStream(unfinished, new FileStreamOptions { Mode = FileMode.CreateNew, Access = FileAccess.Write, UnixCreateMode = Private }))
            {
                JsonSerializer.Serialize(stream, pair);
                stream.Flush(flushToDisk: true);
            }
            File.Move(unfinished, file, overwrite: true);
            DurableDirectory.Flush(directory);
            Kept(log, pair.Grant, pair.Generation);
            return true;
        }
        catch (Exception refused) when (refused is IOException or UnauthorizedAccessException)
        {
            CannotWrite(log, pair.Grant, refused);
            return false;
        }
    }

    /// <summary>Every pair that waits. A file that cannot be read is put aside, once, under another name.</summary>
    public IReadOnlyList<SpooledPair> Read()
    {
        if (options.SpoolDirectory is not { } directory || !Directory.Exists(directory))
            return [];
        var pairs = new List<SpooledPair>();
        foreach (var file in Files(directory))
        {
            try
            {
                if (new FileInfo(file).Length <= LargestFile && JsonSerializer.Deserialize<SpooledPair>(File.ReadAllBytes(file)) is { } pair)
                {
                    pairs.Add(pair with { File = file });
                    continue;
                }
            }
            catch (JsonException)
            {
                // Not one of ours, or edited.
            }
            catch (FileNotFoundException)
            {
                continue;
            }
            Unreadable(log, file);
            File.Move(file, file + ".unreadable", overwrite: true);
        }
        return pairs;
    }

    /// <summary>The store has it, or was told why not.</summary>
    public void Remove(SpooledPair pair)
    {
        if (options.SpoolDirectory is { } directory)
            File.Delete(FileOf(directory, pair));
    }

    private static IEnumerable<string> Files(string directory) => Directory.EnumerateFiles(directory, "*.json").Order(StringComparer.Ordinal);

    private static string FileOf(string directory, SpooledPair pair) =>
        Path.Combine(directory, string.Create(CultureInfo.InvariantCulture, $"{pair.Grant:D}-{pair.Generation}.json"));

    [LoggerMessage(4401, LogLevel.Warning, "The store takes no writes: the renewed pair of grant {Grant}, generation {Generation}, is kept sealed in the spool.")]
    private static partial void Kept(ILogger log, Guid grant, int generation);

    [LoggerMessage(4402, LogLevel.Error, "The spool is full ({Files} files): the renewed pair of grant {Grant} is in memory alone.")]
    private static partial void Full(ILogger log, Guid grant, int files);

    [LoggerMessage(4403, LogLevel.Error, "The spool cannot be written: the renewed pair of grant {Grant} is in memory alone.")]
    private static partial void CannotWrite(ILogger log, Guid grant, Exception refused);

    [LoggerMessage(4404, LogLevel.Error, "The spool file {File} is not readable and was put aside.")]
    private static partial void Unreadable(ILogger log, string file);
}
