using System.Text.Json;
using Apache.Arrow;
using Apache.Arrow.Types;

namespace Postern.Warehouse;

/// <summary>
/// The cells of one column, bound to one batch after another: made once per stream, so that writing a cell neither boxes nor allocates.
/// </summary>
internal abstract class Cells
{
    /// <summary>Takes the column of the next batch.</summary>
    public abstract void Bind(IArrowArray column);

    /// <summary>Whether the cell is SQL NULL.</summary>
    public abstract bool IsNull(int row);

    /// <summary>Writes a cell that is not null as a JSON value.</summary>
    public abstract void WriteJson(Utf8JsonWriter json, int row);

    /// <summary>Writes a cell that is not null as a CSV field.</summary>
    public abstract void WriteCsv(CsvFields csv, int row);

    /// <summary>A cell writer for a column type; <see cref="ColumnTypes.Of"/> says which types have one.</summary>
    /// <exception cref="NotSupportedException">A type that has none; drivers refuse such results before.</exception>
    public static Cells For(IArrowType type) => type switch
    {
        Int8Type => new IntCells<sbyte>(),
        Int16Type => new IntCells<short>(),
        Int32Type => new IntCells<int>(),
        Int64Type => new IntCells<long>(),
        UInt8Type => new IntCells<byte>(),
        UInt16Type => new IntCells<ushort>(),
        UInt32Type => new IntCells<uint>(),
        UInt64Type => new IntCells<ulong>(),
        FloatType => new FloatingCells<float>(),
        DoubleType => new FloatingCells<double>(),
        Decimal128Type decimals => new DecimalCells(decimals.Scale),
        Decimal256Type => new WideDecimalCells(),
        BooleanType => new BoolCells(),
        Date32Type => new DateCells<int>(daysPerUnit: true),
        Date64Type => new DateCells<long>(daysPerUnit: false),
        TimestampType time => new TimestampCells(time),
        StringType or LargeStringType => new TextCells(),
        BinaryType or LargeBinaryType => new BytesCells(),
        ListType list => new ListCells(list),
        MapType map => new MapCells(map),
        StructType structure => new StructCells(structure),
        NullType => new NullCells(),
        _ => throw new NotSupportedException($"No writer for Arrow type {type.TypeId}."),
    };
}

/// <summary>The common part: the bound column and its nulls.</summary>
internal abstract class Cells<TArray> : Cells where TArray : class, IArrowArray
{
    /// <summary>The bound column.</summary>
    protected TArray Column { get; private set; } = null!;

    /// <inheritdoc/>
    public override void Bind(IArrowArray column) => Column = (TArray)column;

    /// <inheritdoc/>
    public sealed override bool IsNull(int row) => Column.IsNull(row);
}

/// <summary>A column of the Arrow type <c>null</c>.</summary>
internal sealed class NullCells : Cells
{
    public override void Bind(IArrowArray column)
    {
    }

    public override bool IsNull(int row) => true;

    public override void WriteJson(Utf8JsonWriter json, int row) => json.WriteNullValue();

    public override void WriteCsv(CsvFields csv, int row)
    {
    }
}
