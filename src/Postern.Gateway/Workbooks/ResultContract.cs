using Postern.Model;

namespace Postern.Gateway.Workbooks;

/// <summary>One column of an actual result, its type told in the contract's words (null: a type the contract has no word for).</summary>
public sealed record ResultColumn(string Name, ColumnType? Type);

/// <summary>The columns a query promises, compared with what the platform sent.</summary>
public static class ResultContract
{
    /// <summary>
    /// Judges a result: exactly the promised columns, in the promised order, each of its type; <c>float</c> also takes whole numbers.
    /// </summary>
    /// <returns><see cref="RefusalKind.QueryFailed"/> with code <c>contract</c>; names the promised column only, never what the platform sent.</returns>
    public static Outcome<Done> Judge(IReadOnlyList<ColumnContract> promised, IReadOnlyList<ResultColumn> actual)
    {
        for (var i = 0; i < promised.Count; i++)
        {
            if (i >= actual.Count || !string.Equals(promised[i].Name, actual[i].Name, StringComparison.OrdinalIgnoreCase) || !Fits(promised[i].Type, actual[i].Type))
                return Broken($"The column '{promised[i].Name}' is missing, elsewhere, or of another type than the workbook promises.");
        }
        return actual.Count == promised.Count ? new Done() : Broken("The result has columns that the workbook does not promise.");
    }

    private static bool Fits(ColumnType promised, ColumnType? actual) =>
        promised == actual || promised == ColumnType.Float && actual == ColumnType.Int;

    private static Refusal Broken(string detail) => new(RefusalKind.QueryFailed, detail + " Its author has to correct it.") { Code = "contract" };
}
