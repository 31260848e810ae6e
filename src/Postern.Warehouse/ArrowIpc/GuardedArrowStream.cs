using System.Buffers.Binary;

namespace Postern.Warehouse.ArrowIpc;

/// <summary>
/// The stream under the Arrow reader. It ends a read that stalls, and looks at the message lengths before the reader rents memory
/// for them: lengths are the only reads of four bytes in the format (metadata and bodies are padded to eight).
/// </summary>
internal sealed class GuardedArrowStream : Stream
{
    private const int ContinuationMark = -1;

    private readonly Stream inner;
    private readonly int maxMetadataBytes;
    private readonly TimeSpan stallTimeout;
    private readonly CancellationTokenSource stall;
    private readonly CancellationTokenSource either;

    /// <summary>Guards a response body.</summary>
    /// <param name="stop">Ends every read; the reader passes its own token to some reads only.</param>
    public GuardedArrowStream(Stream inner, int maxMetadataBytes, TimeSpan stallTimeout, TimeProvider time, CancellationToken stop)
    {
        this.inner = inner;
        this.maxMetadataBytes = maxMetadataBytes;
        this.stallTimeout = stallTimeout;
        stall = new CancellationTokenSource(Timeout.InfiniteTimeSpan, time);
        either = CancellationTokenSource.CreateLinkedTokenSource(stall.Token, stop);
    }

    public override bool CanRead => true;
    public override bool CanSeek => false;
    public override bool CanWrite => false;
    public override long Length => throw new NotSupportedException();
    public override long Position { get => throw new NotSupportedException(); set => throw new NotSupportedException(); }

    public override async ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
    {
        cancellationToken.ThrowIfCancellationRequested();
        stall.CancelAfter(stallTimeout);
        try
        {
            if (buffer.Length != sizeof(int))
                return await inner.ReadAsync(buffer, either.Token);
            var read = await inner.ReadAtLeastAsync(buffer, sizeof(int), throwOnEndOfStream: false, either.Token);
            if (read == sizeof(int))
                CheckLength(BinaryPrimitives.ReadInt32LittleEndian(buffer.Span));
            return read;
        }
        catch (OperationCanceledException) when (stall.IsCancellationRequested)
        {
            throw new IOException("The result link stalled.");
        }
        finally
        {
            stall.CancelAfter(Timeout.InfiniteTimeSpan);
        }
    }

    public override Task<int> ReadAsync(byte[] buffer, int offset, int count, CancellationToken cancellationToken) =>
        ReadAsync(buffer.AsMemory(offset, count), cancellationToken).AsTask();

    public override int Read(byte[] buffer, int offset, int count) => throw new NotSupportedException("Asynchronous only.");
    public override void Flush() => throw new NotSupportedException();
    public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();
    public override void SetLength(long value) => throw new NotSupportedException();
    public override void Write(byte[] buffer, int offset, int count) => throw new NotSupportedException();

    protected override void Dispose(bool disposing)
    {
        if (disposing)
        {
            inner.Dispose();
            either.Dispose();
            stall.Dispose();
        }
        base.Dispose(disposing);
    }

    private void CheckLength(int length)
    {
        if (length != ContinuationMark && (length < 0 || length > maxMetadataBytes))
            throw new InvalidDataException("An Arrow message length is out of bounds.");
    }
}
