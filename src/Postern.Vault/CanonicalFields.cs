using System.Buffers;
using System.Buffers.Binary;
using System.Text;

namespace Postern.Vault;

/// <summary>
/// Fields in one order, each behind its length, so that no two different lists of fields give the same bytes: the form of all
/// associated data and of every message under a MAC. Length: 4 bytes, big-endian; <c>FFFFFFFF</c> and no bytes for null.
/// Text is UTF-8, whole numbers 8 bytes big-endian, a UUID its 16 bytes in RFC 9562 order, a truth value one byte 00 or 01.
/// </summary>
public sealed class CanonicalFields
{
    // Text that is not valid UTF-16 would collapse to U+FFFD and make two texts equal; it is an error instead.
    private static readonly UTF8Encoding StrictUtf8 = new(encoderShouldEmitUTF8Identifier: false, throwOnInvalidBytes: true);

    private readonly ArrayBufferWriter<byte> buffer = new(256);

    /// <summary>Begins with a label that names the schema and its version, such as <c>postern/session-row/1</c>.</summary>
    public CanonicalFields(string label)
    {
        ArgumentException.ThrowIfNullOrEmpty(label);
        Add(label);
    }

    /// <summary>Without a label, for a part whose beginning is written elsewhere.</summary>
    internal CanonicalFields()
    {
    }

    /// <summary>The bytes so far.</summary>
    public ReadOnlyMemory<byte> Written => buffer.WrittenMemory;

    /// <summary>Adds a text; null and empty are different.</summary>
    /// <exception cref="ArgumentException">The text is not valid UTF-16 (a lone surrogate).</exception>
    public CanonicalFields Add(string? text)
    {
        if (text is null)
        {
            WriteLength(uint.MaxValue);
            return this;
        }
        var length = StrictUtf8.GetByteCount(text);
        WriteLength((uint)length);
        StrictUtf8.GetBytes(text, buffer.GetSpan(length));
        buffer.Advance(length);
        return this;
    }

    /// <summary>Adds bytes as they are.</summary>
    public CanonicalFields Add(ReadOnlySpan<byte> bytes)
    {
        WriteLength((uint)bytes.Length);
        buffer.Write(bytes);
        return this;
    }

    /// <summary>Adds a whole number.</summary>
    public CanonicalFields Add(long number)
    {
        Span<byte> bytes = stackalloc byte[8];
        BinaryPrimitives.WriteInt64BigEndian(bytes, number);
        return Add(bytes);
    }

    /// <summary>Adds a whole number, or null.</summary>
    public CanonicalFields Add(long? number) => number is { } some ? Add(some) : Add((string?)null);

    /// <summary>Adds a UUID.</summary>
    public CanonicalFields Add(Guid id)
    {
        Span<byte> bytes = stackalloc byte[16];
        id.TryWriteBytes(bytes, bigEndian: true, out _);
        return Add(bytes);
    }

    /// <summary>Adds a truth value.</summary>
    public CanonicalFields Add(bool truth) => Add([truth ? (byte)1 : (byte)0]);

    /// <summary>A copy of the bytes so far.</summary>
    public byte[] ToArray() => buffer.WrittenSpan.ToArray();

    private void WriteLength(uint length)
    {
        BinaryPrimitives.WriteUInt32BigEndian(buffer.GetSpan(4), length);
        buffer.Advance(4);
    }
}
