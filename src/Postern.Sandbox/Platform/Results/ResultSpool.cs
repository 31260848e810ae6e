using System.Buffers;
using Microsoft.Win32.SafeHandles;

namespace Postern.Sandbox.Platform.Results;

/// <summary>Where a chunk lies: its rows and its bytes.</summary>
internal sealed record Chunk(int Index, long RowOffset, long RowCount, long ByteOffset, long ByteCount);

/// <summary>
/// The bytes of one result, in a file that has no name any more: it is unlinked as soon as it is open, so that no result outlives
/// the process, however it ends. Chunks are read by position, several readers at once.
/// </summary>
internal sealed class ResultSpool : IDisposable
{
    private readonly FileStream file;
    private readonly SafeFileHandle handle;
    private readonly List<Chunk> chunks = [];

    /// <summary>Opens an empty spool in the system's folder for temporary files.</summary>
    public ResultSpool()
    {
        var path = Path.GetTempFileName();
        file = new FileStream(path, FileMode.Open, FileAccess.ReadWrite, FileShare.ReadWrite | FileShare.Delete, bufferSize: 64 * 1024);
        File.Delete(path);
        handle = file.SafeFileHandle;
    }

    /// <summary>Where encoders write.</summary>
    public Stream Output => file;

    /// <summary>The chunks closed so far.</summary>
    public IReadOnlyList<Chunk> Chunks => chunks;

    /// <summary>Bytes of all closed chunks.</summary>
    public long ByteCount { get; private set; }

    /// <summary>Rows of all closed chunks.</summary>
    public long RowCount { get; private set; }

    /// <summary>Closes a chunk that the output holds since the chunk before.</summary>
    public void CloseChunk(long rows)
    {
        file.Flush();
        var bytes = file.Position - ByteCount;
        chunks.Add(new(chunks.Count, RowCount, rows, ByteCount, bytes));
        ByteCount += bytes;
        RowCount += rows;
    }

    /// <summary>Writes a chunk's bytes, in pieces from the pool.</summary>
    public async Task CopyAsync(Chunk chunk, Func<ReadOnlyMemory<byte>, ValueTask> write, CancellationToken cancellation)
    {
        var buffer = ArrayPool<byte>.Shared.Rent(64 * 1024);
        try
        {
            for (long done = 0; done < chunk.ByteCount;)
            {
                var wanted = (int)Math.Min(buffer.Length, chunk.ByteCount - done);
                var read = await RandomAccess.ReadAsync(handle, buffer.AsMemory(0, wanted), chunk.ByteOffset + done, cancellation);
                if (read == 0)
                    throw new EndOfStreamException("A chunk is shorter than its entry says.");
                await write(buffer.AsMemory(0, read));
                done += read;
            }
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(buffer);
        }
    }

    /// <summary>A chunk as one array from the pool, for replies that hold it inline; the caller returns the array.</summary>
    public ArraySegment<byte> Rent(Chunk chunk)
    {
        var buffer = ArrayPool<byte>.Shared.Rent(checked((int)chunk.ByteCount));
        var read = RandomAccess.Read(handle, buffer.AsSpan(0, (int)chunk.ByteCount), chunk.ByteOffset);
        return read == chunk.ByteCount ? new(buffer, 0, read) : throw new EndOfStreamException("A chunk is shorter than its entry says.");
    }

    /// <inheritdoc/>
    public void Dispose() => file.Dispose();
}
