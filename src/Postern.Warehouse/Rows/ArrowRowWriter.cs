using System.IO.Pipelines;
using Apache.Arrow;
using Apache.Arrow.Ipc;

namespace Postern.Warehouse;

/// <summary>
/// Writes the Arrow IPC streaming format (media type registered with IANA) as the batches come. Broken off, it lacks the end-of-stream
/// marker <c>FF FF FF FF 00 00 00 00</c>.
/// </summary>
public sealed class ArrowRowWriter : RowWriter
{
    /// <inheritdoc/>
    public override string MediaType => "application/vnd.apache.arrow.stream";

    /// <inheritdoc/>
    private protected override IRowSink Begin(RowStream rows, PipeWriter output) => new Sink(rows, output);

    private sealed class Sink : IRowSink
    {
        private readonly PipeStream stream;
        private readonly ArrowStreamWriter writer;

        public Sink(RowStream rows, PipeWriter output)
        {
            stream = new PipeStream(output);
            writer = new ArrowStreamWriter(stream, rows.Schema, leaveOpen: true);
        }

        public long Bytes => stream.Written;

        public ValueTask HeadAsync(CancellationToken cancellation) => new(writer.WriteStartAsync(cancellation));

        public ValueTask BatchAsync(RecordBatch batch, CancellationToken cancellation) => new(writer.WriteRecordBatchAsync(batch, cancellation));

        public ValueTask EndAsync(CancellationToken cancellation) => new(writer.WriteEndAsync(cancellation));

        public async ValueTask DisposeAsync()
        {
            writer.Dispose();
            await stream.DisposeAsync();
        }
    }

    /// <summary>
    /// The pipe as the Arrow writer wants it. It is flushed by size: the writer makes many writes of a few bytes each, and the pipe's
    /// own stream would flush after every one.
    /// </summary>
    private sealed class PipeStream(PipeWriter output) : Stream
    {
        public long Written { get; private set; }

        public override bool CanRead => false;
        public override bool CanSeek => false;
        public override bool CanWrite => true;
        public override long Length => throw new NotSupportedException();
        public override long Position { get => Written; set => throw new NotSupportedException(); }

        public override async ValueTask WriteAsync(ReadOnlyMemory<byte> buffer, CancellationToken cancellationToken = default)
        {
            // In pieces, so that a column of megabytes waits for a slow reader too.
            for (var rest = buffer; rest.Length > 0;)
            {
                var piece = rest[..Math.Min(rest.Length, FlushBytes)];
                Write(piece.Span);
                rest = rest[piece.Length..];
                if (output.UnflushedBytes >= FlushBytes)
                    await RowWriter.FlushAsync(output, cancellationToken);
            }
        }

        public override Task WriteAsync(byte[] buffer, int offset, int count, CancellationToken cancellationToken) =>
            WriteAsync(buffer.AsMemory(offset, count), cancellationToken).AsTask();

        public override void Write(ReadOnlySpan<byte> buffer)
        {
            System.Buffers.BuffersExtensions.Write(output, buffer);
            Written += buffer.Length;
        }

        public override void Write(byte[] buffer, int offset, int count) => Write(buffer.AsSpan(offset, count));

        public override void Flush()
        {
        }

        public override Task FlushAsync(CancellationToken cancellationToken) => Task.CompletedTask;
        public override int Read(byte[] buffer, int offset, int count) => throw new NotSupportedException();
        public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();
        public override void SetLength(long value) => throw new NotSupportedException();
    }
}
