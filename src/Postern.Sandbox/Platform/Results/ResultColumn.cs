using Apache.Arrow.Types;
using DuckDB.NET.Data;

namespace Postern.Sandbox.Platform.Results;

/// <summary>A column of a result, as the manifest describes it, and how the engine is asked for it.</summary>
/// <param name="Name">The name.</param>
/// <param name="TypeName">The name of the manifest: <c>LONG</c> for BIGINT, <c>SHORT</c> for SMALLINT and so on.</param>
/// <param name="TypeText">The type as SQL, such as <c>DECIMAL(20,2)</c>.</param>
/// <param name="Cast">The engine's type to cast to, so that encoders meet few types; null where the value comes as it is.</param>
internal sealed record ResultColumn(string Name, string TypeName, string TypeText, string? Cast = null)
{
    /// <summary>Precision of a DECIMAL.</summary>
    public int? Precision { get; init; }

    /// <summary>Scale of a DECIMAL.</summary>
    public int? Scale { get; init; }

    /// <summary>The expression that selects it under the name <c>c0</c>, <c>c1</c> … of the inner query.</summary>
    public string Expression(int position) => Cast switch
    {
        null => $"c{position}",
        "JSON" => $"CAST(to_json(c{position}) AS VARCHAR) AS c{position}",
        _ => $"CAST(c{position} AS {Cast}) AS c{position}",
    };

    /// <summary>The columns of a prepared result; what a DECIMAL measures is learnt from the stream, see <see cref="Measured"/>.</summary>
    public static IReadOnlyList<ResultColumn> Of(DuckDBDataReader reader) =>
        [.. Enumerable.Range(0, reader.FieldCount).Select(i => Of(reader.GetName(i), reader.GetDataTypeName(i)))];

    /// <summary>The column with the precision and scale of its Arrow type.</summary>
    public ResultColumn Measured(IArrowType type) => type is Decimal128Type { Precision: var precision, Scale: var scale }
        ? this with { TypeText = $"DECIMAL({precision},{scale})", Precision = precision, Scale = scale }
        : this;

    private static ResultColumn Of(string name, string engineType) => engineType switch
    {
        "Boolean" => new(name, "BOOLEAN", "BOOLEAN"),
        "TinyInt" => new(name, "BYTE", "TINYINT"),
        "SmallInt" => new(name, "SHORT", "SMALLINT"),
        "UnsignedTinyInt" => new(name, "SHORT", "SMALLINT", Cast: "SMALLINT"),
        "Integer" => new(name, "INT", "INT"),
        "UnsignedSmallInt" => new(name, "INT", "INT", Cast: "INTEGER"),
        "BigInt" => new(name, "LONG", "BIGINT"),
        // A sum of whole numbers is BIGINT on Databricks, and overflows as one.
        "HugeInt" or "UnsignedInteger" or "UnsignedBigInt" or "UnsignedHugeInt" => new(name, "LONG", "BIGINT", Cast: "BIGINT"),
        "Float" => new(name, "FLOAT", "FLOAT"),
        "Double" => new(name, "DOUBLE", "DOUBLE"),
        "Decimal" => new(name, "DECIMAL", "DECIMAL"),
        "Varchar" => new(name, "STRING", "STRING"),
        "Date" => new(name, "DATE", "DATE"),
        "Timestamp" or "TimestampS" or "TimestampMs" or "TimestampNs" or "TimestampTz" =>
            new(name, "TIMESTAMP", "TIMESTAMP", Cast: "TIMESTAMPTZ"),
        "Blob" => new(name, "BINARY", "BINARY"),
        "Interval" => new(name, "INTERVAL", "INTERVAL", Cast: "VARCHAR"),
        "List" or "Array" => new(name, "ARRAY", "ARRAY<STRING>", Cast: "JSON"),
        "Struct" => new(name, "STRUCT", "STRUCT<>", Cast: "JSON"),
        "Map" => new(name, "MAP", "MAP<STRING,STRING>", Cast: "JSON"),
        _ => new(name, "STRING", "STRING", Cast: "VARCHAR"),
    };
}
