using Apache.Arrow;

namespace Postern.Warehouse.ArrowIpc;

/// <summary>Comparisons of Arrow schemas, which have no equality of their own.</summary>
internal static class ArrowTypes
{
    /// <summary>True when both schemas have the same columns in the same order: names, types and their parameters.</summary>
    public static bool SameColumns(Schema a, Schema b)
    {
        if (a.FieldsList.Count != b.FieldsList.Count)
            return false;
        for (var i = 0; i < a.FieldsList.Count; i++)
        {
            if (!SameField(a.FieldsList[i], b.FieldsList[i]))
                return false;
        }
        return true;
    }

    private static bool SameField(Field a, Field b)
    {
        if (!string.Equals(a.Name, b.Name, StringComparison.Ordinal) || a.DataType.TypeId != b.DataType.TypeId)
            return false;
        switch (a.DataType, b.DataType)
        {
            case (Apache.Arrow.Types.TimestampType x, Apache.Arrow.Types.TimestampType y):
                return x.Unit == y.Unit && string.Equals(x.Timezone, y.Timezone, StringComparison.Ordinal);
            case (Apache.Arrow.Types.Decimal128Type x, Apache.Arrow.Types.Decimal128Type y):
                return x.Precision == y.Precision && x.Scale == y.Scale;
            case (Apache.Arrow.Types.NestedType x, Apache.Arrow.Types.NestedType y):
                if (x.Fields.Count != y.Fields.Count)
                    return false;
                for (var i = 0; i < x.Fields.Count; i++)
                {
                    if (!SameField(x.Fields[i], y.Fields[i]))
                        return false;
                }
                return true;
            default:
                return true;
        }
    }
}
