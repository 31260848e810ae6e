using System.Buffers;
using Apache.Arrow.Memory;

namespace Postern.Warehouse.ArrowIpc;

/// <summary>
/// Memory for Arrow message bodies from the shared pool, with a bound on one message. A body that is never disposed (the reader
/// drops it when a message breaks off) is collected as garbage, where native memory would leak.
/// </summary>
internal sealed class PooledArrowAllocator(int maxBytes) : MemoryAllocator
{
    /// <exception cref="InvalidDataException">The message is larger than the bound.</exception>
    protected override IMemoryOwner<byte> AllocateInternal(int length, out int bytesAllocated)
    {
        if (length > maxBytes)
            throw new InvalidDataException($"An Arrow message of {length} bytes is over the limit of {maxBytes}.");
        bytesAllocated = length;
        return new Owner(ArrayPool<byte>.Shared.Rent(length), length);
    }

    private sealed class Owner(byte[] rented, int length) : IMemoryOwner<byte>
    {
        private byte[]? array = rented;

        public Memory<byte> Memory => array.AsMemory(0, length);

        // Exactly once: an array returned twice would be handed to two readers.
        public void Dispose()
        {
            if (Interlocked.Exchange(ref array, null) is { } mine)
                ArrayPool<byte>.Shared.Return(mine);
        }
    }
}
