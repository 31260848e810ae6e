using System.Collections.Immutable;
using Apache.Arrow;
using Apache.Arrow.Types;

namespace Postern.Warehouse.Databricks;

/// <summary>The platform's type names as Arrow types, for results that come without an Arrow stream, and the comparison of both.</summary>
internal static class ManifestTypes
{
    private const int MaxPrecision = 38;

    /// <summary>The schema of a result without rows.</summary>
    public static Schema Schema(ResultManifest manifest) =>
        new(manifest.Columns.Select(c => new Field(c.Name, ArrowType(c), nullable: true)), null);

    /// <summary>The columns of a stream, with the platform's type texts.</summary>
    public static ImmutableArray<ResultColumn> Columns(Schema schema, ResultManifest manifest) =>
        [.. schema.FieldsList.Select((field, i) => new ResultColumn(
            field.Name, ColumnTypes.Of(field.DataType) ?? ColumnType.Json, i < manifest.Columns.Length ? manifest.Columns[i].TypeText : ""))];

    /// <summary>Why an Arrow schema does not belong to a manifest, as a code; null when it does.</summary>
    public static string? Contradiction(Schema schema, ResultManifest manifest)
    {
        if (schema.FieldsList.Count != manifest.Columns.Length)
            return "schema-mismatch";
        for (var i = 0; i < manifest.Columns.Length; i++)
        {
            if (!string.Equals(schema.FieldsList[i].Name, manifest.Columns[i].Name, StringComparison.Ordinal))
                return "schema-mismatch";
            if (ColumnTypes.Of(schema.FieldsList[i].DataType) is null)
                return "column-type";
        }
        return null;
    }

    // Unknown names are text, as everything the platform may add one day can be shown.
    private static IArrowType ArrowType(ManifestColumn column) => column.TypeName switch
    {
        "BYTE" => Int8Type.Default,
        "SHORT" => Int16Type.Default,
        "INT" => Int32Type.Default,
        "LONG" => Int64Type.Default,
        "FLOAT" => FloatType.Default,
        "DOUBLE" => DoubleType.Default,
        "DECIMAL" when column is { Precision: > 0 and <= MaxPrecision } => new Decimal128Type(column.Precision, column.Scale),
        "BOOLEAN" => BooleanType.Default,
        "DATE" => Date32Type.Default,
        "TIMESTAMP" => new TimestampType(TimeUnit.Microsecond, "UTC"),
        "TIMESTAMP_NTZ" => new TimestampType(TimeUnit.Microsecond, (string?)null),
        "BINARY" => BinaryType.Default,
        "NULL" => NullType.Default,
        _ => StringType.Default,
    };
}
