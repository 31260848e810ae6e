using System.Buffers;
using System.Buffers.Binary;
using System.Text;

namespace Postern.Vault;

/// <summary>
/// The whole associated data: label, suite, key version and deployment, which the vault knows, then the context's own fields,
/// which were encoded once when the context was made. Lives in a rented buffer until disposed.
/// </summary>
internal ref struct AssociatedData
{
    private const int FixedLength = 4 + 2 + 4 + 16 + 4 + 4;
    private readonly byte[] rented;
    private readonly int length;

    private AssociatedData(ReadOnlySpan<byte> label, ushort suite, Guid keyVersion, string deployment, ReadOnlySpan<byte> context)
    {
        var deploymentLength = Encoding.UTF8.GetByteCount(deployment);
        length = FixedLength + label.Length + deploymentLength + context.Length;
        rented = ArrayPool<byte>.Shared.Rent(length);
        var rest = rented.AsSpan(0, length);

        rest = Field(rest, label);
        BinaryPrimitives.WriteUInt32BigEndian(rest, 2);
        BinaryPrimitives.WriteUInt16BigEndian(rest[4..], suite);
        rest = rest[6..];
        BinaryPrimitives.WriteUInt32BigEndian(rest, 16);
        keyVersion.TryWriteBytes(rest.Slice(4, 16), bigEndian: true, out _);
        rest = rest[20..];
        BinaryPrimitives.WriteUInt32BigEndian(rest, (uint)deploymentLength);
        Encoding.UTF8.GetBytes(deployment, rest[4..]);
        rest = rest[(4 + deploymentLength)..];
        context.CopyTo(rest);
    }

    /// <summary>The bytes.</summary>
    public readonly ReadOnlySpan<byte> Bytes => rented.AsSpan(0, length);

    /// <summary>For a sealed record.</summary>
    public static AssociatedData OfRecord(VaultSuite suite, Guid keyVersion, string deployment, RecordContext context) =>
        new("postern/record/1"u8, (ushort)suite, keyVersion, deployment, context.Encoded);

    /// <summary>For a tenant key wrapped by a root key of the same construction.</summary>
    public static AssociatedData OfKeyWrap(VaultSuite suite, Guid rootKey, KeyWrapContext context) =>
        new("postern/key-wrap/1"u8, (ushort)suite, rootKey, context.Deployment, context.Encode());

    /// <summary>For a MAC: the beginning of the message that is authenticated.</summary>
    public static AssociatedData OfMac(ushort suite, Guid keyVersion, string deployment, MacContext context) =>
        new("postern/row-mac/1"u8, suite, keyVersion, deployment, context.Encoded);

    /// <summary>Gives the buffer back. It held no secret.</summary>
    public readonly void Dispose() => ArrayPool<byte>.Shared.Return(rented);

    private static Span<byte> Field(Span<byte> destination, ReadOnlySpan<byte> value)
    {
        BinaryPrimitives.WriteUInt32BigEndian(destination, (uint)value.Length);
        value.CopyTo(destination[4..]);
        return destination[(4 + value.Length)..];
    }
}
