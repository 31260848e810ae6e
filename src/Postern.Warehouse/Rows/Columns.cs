using Apache.Arrow.Types;

namespace Postern.Warehouse;

/// <summary>What a column holds, whatever width or encoding the platform chose.</summary>
public enum ColumnType
{
    /// <summary>Text.</summary>
    String,
    /// <summary>A whole number of up to 64 bits.</summary>
    Int,
    /// <summary>A binary floating-point number.</summary>
    Float,
    /// <summary>An exact decimal number.</summary>
    Decimal,
    /// <summary>True or false.</summary>
    Bool,
    /// <summary>A calendar day.</summary>
    Date,
    /// <summary>A point in time; with a zone it is an instant, shown in UTC, without one it is local.</summary>
    Timestamp,
    /// <summary>Bytes.</summary>
    Binary,
    /// <summary>A list, map or structure, shown as JSON.</summary>
    Json,
    /// <summary>A column without any value.</summary>
    Null,
}

/// <summary>One column of a result.</summary>
/// <param name="Name">As the platform names it.</param>
/// <param name="Type">What it holds.</param>
/// <param name="PlatformType">The platform's own type name, such as <c>DECIMAL(10,2)</c>.</param>
public sealed record ResultColumn(string Name, ColumnType Type, string PlatformType);

/// <summary>The names of column types on the wire, and how Arrow types map to them.</summary>
public static class ColumnTypes
{
    private const int MaxScale = 38;
    private const int MaxDepth = 16;

    /// <summary>The lower-case name that JSON results and workbooks use: <c>string int float decimal bool date timestamp binary json null</c>.</summary>
    public static string Name(this ColumnType type) => type switch
    {
        ColumnType.String => "string",
        ColumnType.Int => "int",
        ColumnType.Float => "float",
        ColumnType.Decimal => "decimal",
        ColumnType.Bool => "bool",
        ColumnType.Date => "date",
        ColumnType.Timestamp => "timestamp",
        ColumnType.Binary => "binary",
        ColumnType.Json => "json",
        _ => "null",
    };

    /// <summary>Reads a name written by <see cref="Name"/>; false when it is none.</summary>
    public static bool TryParse(string? name, out ColumnType type)
    {
        foreach (var candidate in Enum.GetValues<ColumnType>())
        {
            if (string.Equals(candidate.Name(), name, StringComparison.Ordinal))
            {
                type = candidate;
                return true;
            }
        }
        type = default;
        return false;
    }

    /// <summary>What an Arrow column holds; null for the few Arrow types that no writer here knows, also inside a nested one.</summary>
    public static ColumnType? Of(IArrowType type) => Classify(type, 0);

    private static ColumnType? Classify(IArrowType type, int depth) => type switch
    {
        StringType or LargeStringType => ColumnType.String,
        Int8Type or Int16Type or Int32Type or Int64Type or UInt8Type or UInt16Type or UInt32Type or UInt64Type => ColumnType.Int,
        FloatType or DoubleType => ColumnType.Float,
        Decimal128Type { Scale: >= -MaxScale and <= MaxScale } or Decimal256Type => ColumnType.Decimal,
        BooleanType => ColumnType.Bool,
        Date32Type or Date64Type => ColumnType.Date,
        TimestampType => ColumnType.Timestamp,
        BinaryType or LargeBinaryType => ColumnType.Binary,
        ListType or MapType or StructType when depth < MaxDepth && ((NestedType)type).Fields.All(f => Known(f.DataType, depth + 1)) => ColumnType.Json,
        NullType => ColumnType.Null,
        _ => null,
    };

    // A map's only field is the structure of its entries.
    private static bool Known(IArrowType type, int depth) => Classify(type, depth) is not null;
}
