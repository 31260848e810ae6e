using System.Collections.Immutable;
using System.Globalization;
using Postern.Gateway.Workbooks;
using Postern.Warehouse;

namespace Postern.Gateway.Query;

/// <summary>What workbooks bind and promise, in the words of the warehouse room.</summary>
internal static class BoundValues
{
    public static SqlValue Of(BoundParameter parameter) => parameter.Value is not { } text ? new SqlValue.Missing(TypeOf(parameter.Type)) : parameter.Type switch
    {
        BoundType.Int or BoundType.BigInt => long.Parse(text, CultureInfo.InvariantCulture),
        BoundType.Double => double.Parse(text, CultureInfo.InvariantCulture),
        BoundType.Boolean => bool.Parse(text),
        BoundType.Date => DateOnly.ParseExact(text, "yyyy-MM-dd", CultureInfo.InvariantCulture),
        BoundType.Timestamp => DateTimeOffset.Parse(text, CultureInfo.InvariantCulture, DateTimeStyles.AssumeUniversal),
        _ => text,
    };

    public static ImmutableArray<DeclaredColumn> Of(ImmutableArray<ColumnContract> columns) =>
        [.. columns.Select(column => new DeclaredColumn(column.Name, Of(column.Type)))];

    private static Warehouse.ColumnType Of(Workbooks.ColumnType type) => type switch
    {
        Workbooks.ColumnType.Int => Warehouse.ColumnType.Int,
        Workbooks.ColumnType.Float => Warehouse.ColumnType.Float,
        Workbooks.ColumnType.Bool => Warehouse.ColumnType.Bool,
        Workbooks.ColumnType.Date => Warehouse.ColumnType.Date,
        Workbooks.ColumnType.Timestamp => Warehouse.ColumnType.Timestamp,
        _ => Warehouse.ColumnType.String,
    };

    private static SqlType TypeOf(BoundType type) => type switch
    {
        BoundType.Int or BoundType.BigInt => SqlType.Int,
        BoundType.Double => SqlType.Float,
        BoundType.Boolean => SqlType.Bool,
        BoundType.Date => SqlType.Date,
        BoundType.Timestamp => SqlType.Timestamp,
        _ => SqlType.String,
    };
}
