using System.Collections.Immutable;
using System.Globalization;
using Postern.Model;
using Postern.Policy;

namespace Postern.Gateway.Workbooks;

/// <summary>Chooses among the published texts of a query and fills in the values beside the text.</summary>
internal static class QueryBinder
{
    /// <summary>
    /// 1 where every axis stands for these values; 2 the text published for that; 3 its parameters' values. Values never touch the text.
    /// </summary>
    public static Outcome<BoundQuery> Bind(PublishedQuery query, IReadOnlyDictionary<string, ControlValue> values, Subject subject)
    {
        // 1
        var coordinates = new List<string>(query.Axes.Length);
        foreach (var axis in query.Axes)
        {
            if (Coordinate(axis, values, subject) is not { } coordinate)
            {
                return new Refusal(RefusalKind.Forbidden, "Your account has more values for a row policy than this workbook was made for.")
                {
                    Code = "attribute-too-many",
                };
            }
            coordinates.Add(coordinate);
        }
        // 2
        var key = VariantKey.Join(coordinates);
        var variant = query.Variants.FirstOrDefault(candidate => string.Equals(candidate.Key, key, StringComparison.Ordinal));
        if (variant is null)
            return new Refusal(RefusalKind.Unavailable, "This workbook was published incompletely; publish it again.") { Code = "variant-missing" };
        // 3
        var parameters = ImmutableArray.CreateBuilder<BoundParameter>(variant.Parameters.Length);
        foreach (var source in variant.Parameters)
            parameters.Add(new(source.Name, source.Type, ValueOf(source, values, subject)));
        return new BoundQuery(query, variant, parameters.MoveToImmutable());
    }

    private static string? Coordinate(VariantAxis axis, IReadOnlyDictionary<string, ControlValue> values, Subject subject)
    {
        if (axis.Kind == ParameterKind.Attribute)
        {
            // No values are bound as NULL in the smallest text, which no row equals: no rows, never all.
            var count = Math.Max(1, RowFilter.ValuesOf(subject, axis.Name).Count);
            return Bucket(axis, count) is { } bucket ? VariantKey.Attribute(axis.Name, bucket) : null;
        }
        return values[axis.Name] switch
        {
            ControlValue.Key key => VariantKey.Control(axis.Name, key.Value),
            ControlValue.Texts { Items.IsEmpty: true } => VariantKey.Absent(axis.Name),
            ControlValue.Texts texts => Bucket(axis, texts.Items.Length) is { } bucket
                ? VariantKey.Control(axis.Name, bucket.ToString(CultureInfo.InvariantCulture))
                : null,
            _ => null,
        };
    }

    private static int? Bucket(VariantAxis axis, int count)
    {
        foreach (var bucket in axis.Buckets)
        {
            if (bucket >= count)
                return bucket;
        }
        return null;
    }

    private static string? ValueOf(ParameterSource source, IReadOnlyDictionary<string, ControlValue> values, Subject subject)
    {
        if (source.Kind == ParameterKind.Attribute)
            return Padded(RowFilter.ValuesOf(subject, source.From), source.Index);
        return values[source.From] switch
        {
            ControlValue.Days days => (source.Part == "from" ? days.From : days.To).ToString("yyyy-MM-dd", CultureInfo.InvariantCulture),
            ControlValue.Number number => number.Value.ToString(CultureInfo.InvariantCulture),
            ControlValue.Texts texts => Padded(texts.Items, source.Index),
            _ => throw new InvalidOperationException("A choice has no value in SQL."),
        };
    }

    private static string? Padded(IReadOnlyList<string> items, int index) => items.Count == 0 ? null : items[Math.Min(index, items.Count - 1)];
}

/// <summary>How a text's key is written; one place for the publisher and the binder.</summary>
internal static class VariantKey
{
    public static string Control(string name, string value) => $"{name}={value}";

    public static string Absent(string name) => $"{name}=-";

    public static string Attribute(string name, int bucket) => string.Create(CultureInfo.InvariantCulture, $"@{name}={bucket}");

    public static string Join(IEnumerable<string> coordinates) => string.Join(';', coordinates);
}
