using System.Runtime.InteropServices;
using Apache.Arrow;
using Apache.Arrow.Types;

namespace Postern.Warehouse.ArrowIpc;

/// <summary>
/// Checks a batch from outside before anybody reads its cells: buffers long enough for the rows, offsets that only grow and stay
/// inside their data. After this, no cell access can fail half-way through an answer.
/// </summary>
internal static class BatchCheck
{
    private const int MaxDepth = 32;

    /// <exception cref="InvalidDataException">The batch contradicts itself or the schema.</exception>
    public static void Verify(RecordBatch batch, Schema schema)
    {
        if (batch.ColumnCount != schema.FieldsList.Count)
            throw Bad("another number of columns than its schema");
        for (var i = 0; i < batch.ColumnCount; i++)
        {
            var data = batch.Column(i).Data;
            if (data.Length != batch.Length)
                throw Bad("columns of different length");
            Verify(data, schema.FieldsList[i].DataType, 0);
        }
    }

    private static void Verify(ArrayData data, IArrowType type, int depth)
    {
        if (depth > MaxDepth)
            throw Bad("types nested too deep");
        var end = (long)data.Offset + data.Length;
        if (data.Length == 0 || type is NullType)
            return;
        var validity = data.Buffers[0].Length;
        if (validity == 0 ? data.GetNullCount() != 0 : validity < (end + 7) / 8)
            throw Bad("a validity bitmap that is too short");
        switch (type)
        {
            case BooleanType:
                Require(data.Buffers[1].Length >= (end + 7) / 8);
                break;
            case FixedWidthType fixedWidth:
                Require(data.Buffers[1].Length >= end * (fixedWidth.BitWidth / 8));
                break;
            case StringType or BinaryType:
                VerifyOffsets(data, end, data.Buffers[2].Length);
                break;
            case LargeStringType or LargeBinaryType:
                VerifyLargeOffsets(data, end, data.Buffers[2].Length);
                break;
            case ListType or MapType:
                VerifyOffsets(data, end, data.Children[0].Length);
                Verify(data.Children[0], ((NestedType)type).Fields[0].DataType, depth + 1);
                break;
            case StructType structure:
                for (var i = 0; i < structure.Fields.Count; i++)
                {
                    Require(data.Children[i].Length >= end);
                    Verify(data.Children[i], structure.Fields[i].DataType, depth + 1);
                }
                break;
            default:
                throw Bad("a type that is not supported");
        }
    }

    private static void VerifyOffsets(ArrayData data, long end, long limit)
    {
        var offsets = MemoryMarshal.Cast<byte, int>(data.Buffers[1].Span);
        Require(offsets.Length > end);
        var previous = offsets[data.Offset];
        Require(previous >= 0);
        foreach (var offset in offsets[(data.Offset + 1)..(int)(end + 1)])
        {
            Require(offset >= previous);
            previous = offset;
        }
        Require(previous <= limit);
    }

    private static void VerifyLargeOffsets(ArrayData data, long end, long limit)
    {
        var offsets = MemoryMarshal.Cast<byte, long>(data.Buffers[1].Span);
        Require(offsets.Length > end);
        var previous = offsets[data.Offset];
        Require(previous >= 0);
        foreach (var offset in offsets[(data.Offset + 1)..(int)(end + 1)])
        {
            Require(offset >= previous);
            previous = offset;
        }
        Require(previous <= limit);
    }

    private static void Require(bool holds)
    {
        if (!holds)
            throw Bad("buffers that contradict its length");
    }

    private static InvalidDataException Bad(string what) => new($"An Arrow batch has {what}.");
}
