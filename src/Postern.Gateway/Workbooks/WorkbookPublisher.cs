using System.Collections.Immutable;
using Postern.Model;
using Postern.Policy;

namespace Postern.Gateway.Workbooks;

/// <summary>Where a workbook is published to: what its names must fit.</summary>
/// <param name="Connections">The tenant's connections.</param>
/// <param name="Policies">The tenant's table policies.</param>
public sealed record PublishTarget(ImmutableArray<Connection> Connections, ImmutableArray<TablePolicy> Policies);

/// <summary>Turns workbook files into published workbooks, or into a list of everything that is wrong with them.</summary>
/// <param name="charts">Compiles charts.</param>
public sealed class WorkbookPublisher(ChartCompiler charts)
{
    /// <summary>
    /// Reads a file and checks it in itself: structure, names, SQL, charts against the deny-list. Needs no tenant and compiles nothing.
    /// </summary>
    public static WorkbookReport<Workbook> Validate(string text) => WorkbookReader.Read(text);

    /// <summary>
    /// 1 reads and checks the file; 2 checks it against the tenant; 3 expands every query into its texts; 4 compiles the charts.
    /// </summary>
    public WorkbookReport<PublishedWorkbook> Publish(string text, PublishTarget target) => throw new InvalidOperationException(charts.ToString() + target);
}
