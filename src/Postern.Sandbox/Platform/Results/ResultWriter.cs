using Apache.Arrow;

namespace Postern.Sandbox.Platform.Results;

/// <summary>A finished result.</summary>
/// <param name="Columns">Its columns.</param>
/// <param name="Spool">Its bytes.</param>
/// <param name="Truncated">True when a limit on rows or bytes cut it.</param>
internal sealed record StatementResult(IReadOnlyList<ResultColumn> Columns, ResultSpool Spool, bool Truncated) : IDisposable
{
    /// <inheritdoc/>
    public void Dispose() => Spool.Dispose();
}

/// <summary>What a result may hold.</summary>
/// <param name="Rows">Most rows; more are cut.</param>
/// <param name="Bytes">Most bytes; more are cut, by the engine's own count, which need not be that of the format.</param>
/// <param name="EncodedBytes">Most bytes in the format; more is a failure (<c>INLINE</c>).</param>
/// <param name="ChunkBytes">Size at which a chunk is closed.</param>
internal sealed record ResultLimits(long Rows, long Bytes, long EncodedBytes, long ChunkBytes);

/// <summary>Takes batches as they come and leaves chunks in a spool; never holds more than a batch.</summary>
internal sealed class ResultWriter(string format, Schema schema, ResultSpool spool, ResultLimits limits) : IDisposable
{
    private ChunkEncoder? encoder;
    private long rowsInChunk;
    private long rows;
    private long bytes;

    /// <summary>True when a limit cut the result.</summary>
    public bool Truncated { get; private set; }

    /// <summary>True when the result is larger than its disposition carries.</summary>
    public bool TooLarge => spool.Output.Position > limits.EncodedBytes;

    /// <summary>Writes a batch.</summary>
    /// <returns>False when no more batches are wanted: <see cref="Truncated"/> or <see cref="TooLarge"/> says why.</returns>
    public bool Write(RecordBatch batch)
    {
        var size = batch.Arrays.Sum(array => array.Data.Buffers.Sum(buffer => (long)buffer.Length));
        var perRow = Math.Max(1, size / Math.Max(1, batch.Length));
        var wanted = (int)Math.Min(batch.Length, Math.Min(limits.Rows - rows, (limits.Bytes - bytes) / perRow));
        if (wanted < batch.Length)
            Truncated = true;
        if (wanted > 0)
        {
            encoder ??= ChunkEncoder.For(format, spool.Output, schema, first: spool.Chunks.Count == 0);
            if (wanted == batch.Length)
            {
                encoder.Write(batch);
            }
            else
            {
                using var part = batch.Slice(0, wanted);
                encoder.Write(part);
            }

            rowsInChunk += wanted;
            rows += wanted;
            bytes += wanted * perRow;
            if (spool.Output.Position - spool.ByteCount >= limits.ChunkBytes)
                CloseChunk();
        }

        return !Truncated && !TooLarge;
    }

    /// <summary>Closes the last chunk. A result without rows has one empty chunk.</summary>
    public void Complete()
    {
        if (spool.Chunks.Count == 0)
            encoder ??= ChunkEncoder.For(format, spool.Output, schema, first: true);
        if (encoder is not null)
            CloseChunk();
    }

    /// <inheritdoc/>
    public void Dispose() => encoder?.Dispose();

    private void CloseChunk()
    {
        encoder!.Complete();
        encoder.Dispose();
        encoder = null;
        spool.CloseChunk(rowsInChunk);
        rowsInChunk = 0;
    }
}
