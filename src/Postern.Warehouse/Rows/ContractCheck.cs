using System.Collections.Immutable;
using Postern.Model;

namespace Postern.Warehouse;

/// <summary>A column as a published query declares it.</summary>
/// <param name="Name">The exact name.</param>
/// <param name="Type">What it must hold.</param>
public sealed record DeclaredColumn(string Name, ColumnType Type);

/// <summary>
/// Compares a result with what its query declares, before a single row leaves: a column nobody declared could hold data nobody agreed to
/// show, and a changed type draws a wrong chart. Order does not matter.
/// </summary>
public static class ContractCheck
{
    /// <summary>Success, or <see cref="RefusalKind.QueryFailed"/> with code <c>contract</c> that names the first column that differs.</summary>
    public static Outcome<Done> Verify(ConnectionId connection, ImmutableArray<DeclaredColumn> declared, ImmutableArray<ResultColumn> actual)
    {
        var open = new Dictionary<string, ColumnType>(StringComparer.Ordinal);
        foreach (var column in declared)
            open.Add(column.Name, column.Type);
        foreach (var column in actual)
        {
            if (!open.Remove(column.Name, out var type))
                return Broken(connection, $"The result has a column '{column.Name}' that the query does not declare, or has it twice.");
            if (!Fits(type, column.Type))
                return Broken(connection, $"Column '{column.Name}' is declared as {type.Name()}, but the result holds {column.Type.Name()}.");
        }
        foreach (var name in open.Keys)
            return Broken(connection, $"The result lacks the declared column '{name}'.");
        return default(Done);
    }

    // A sum or average is a decimal or a float by the platform's choice; a column of nulls only fits anything.
    private static bool Fits(ColumnType declared, ColumnType actual) =>
        declared == actual || actual == ColumnType.Null || declared == ColumnType.Float && actual == ColumnType.Decimal;

    private static Refusal Broken(ConnectionId connection, string detail) =>
        new(RefusalKind.QueryFailed, detail) { Connection = connection, Code = "contract" };
}
