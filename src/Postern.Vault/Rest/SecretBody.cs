using System.Buffers;
using System.Net.Http.Headers;
using System.Security.Cryptography;
using System.Text.Json;

namespace Postern.Vault;

/// <summary>A JSON request body that may hold a key: written into one pinned buffer that is wiped, and never into a string.</summary>
internal sealed class SecretBody : IBufferWriter<byte>, IDisposable
{
    private const int Capacity = 64 * 1024;
    private readonly byte[] buffer = GC.AllocateUninitializedArray<byte>(Capacity, pinned: true);
    private int length;

    /// <summary>Writes an object.</summary>
    /// <exception cref="InvalidOperationException">It is longer than the buffer.</exception>
    public SecretBody(Action<Utf8JsonWriter> members)
    {
        using var json = new Utf8JsonWriter(this);
        json.WriteStartObject();
        members(json);
        json.WriteEndObject();
    }

    /// <summary>The body.</summary>
    public ReadOnlyMemory<byte> Bytes => buffer.AsMemory(0, length);

    /// <summary>The body as content of one request.</summary>
    public HttpContent ToContent(string mediaType = "application/json")
    {
        var content = new ByteArrayContent(buffer, 0, length);
        content.Headers.ContentType = new MediaTypeHeaderValue(mediaType);
        return content;
    }

    /// <summary>Wipes the body.</summary>
    public void Dispose() => CryptographicOperations.ZeroMemory(buffer);

    void IBufferWriter<byte>.Advance(int count) => length += count;

    Memory<byte> IBufferWriter<byte>.GetMemory(int sizeHint) =>
        Capacity - length >= Math.Max(sizeHint, 1) ? buffer.AsMemory(length) : throw new InvalidOperationException("The request is too long.");

    Span<byte> IBufferWriter<byte>.GetSpan(int sizeHint) => ((IBufferWriter<byte>)this).GetMemory(sizeHint).Span;
}
