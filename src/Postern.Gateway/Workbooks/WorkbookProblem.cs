using System.Collections.Immutable;

namespace Postern.Gateway.Workbooks;

/// <summary>One thing that is wrong in a workbook file.</summary>
/// <param name="Path">Where, such as <c>queries.delays.sql</c> or <c>pages[0].rows[0][1].chart</c>; empty for the file as a whole.</param>
/// <param name="Problem">What is wrong.</param>
/// <param name="Remedy">What to do about it.</param>
/// <param name="Line">The line in the file, from 1, or null when it has none.</param>
public sealed record WorkbookProblem(string Path, string Problem, string Remedy, int? Line = null)
{
    /// <summary><c>path (line n): problem remedy</c>.</summary>
    public override string ToString() => $"{(Path.Length == 0 ? "file" : Path)}{(Line is { } line ? $" (line {line})" : "")}: {Problem} {Remedy}";
}

/// <summary>What reading or publishing a workbook came to: a value, or all problems at once.</summary>
/// <typeparam name="T">What success carries.</typeparam>
public sealed class WorkbookReport<T> where T : class
{
    private WorkbookReport(T? value, ImmutableArray<WorkbookProblem> problems) => (Value, Problems) = (value, problems);

    /// <summary>The value; null exactly when there are problems.</summary>
    public T? Value { get; }

    /// <summary>Everything that is wrong, in the order of the file.</summary>
    public ImmutableArray<WorkbookProblem> Problems { get; }

    /// <summary>A value without problems.</summary>
    internal static WorkbookReport<T> Of(T value) => new(value, []);

    /// <summary>At least one problem.</summary>
    internal static WorkbookReport<T> Failed(IEnumerable<WorkbookProblem> problems) =>
        new(null, [.. problems.DefaultIfEmpty(new("", "The workbook was refused.", "Report this: no problem was named."))]);
}
