using System.Text.RegularExpressions;
using Postern.Gateway.Workbooks;
using static Postern.Gateway.Tests.Workbooks.Fixtures;

namespace Postern.Gateway.Tests.Workbooks;

/// <summary>What the reference shows is true.</summary>
public sealed partial class WorkbookDocsTests
{
    private static readonly string Page = File.ReadAllText(Path.Combine(Root(), "docs", "reference", "workbook-format.md"));

    [Fact]
    public void Example_OfTheReference_IsAWorkbook()
    {
        var example = Assert.Single(Blocks("yaml"));

        Assert.Empty(WorkbookReader.Read(example).Problems);
    }

    [Fact]
    public void DerivedTable_OfTheReference_IsWhatIsPublished()
    {
        var shown = Assert.Single(Blocks("sql")).Trim();

        Assert.EndsWith(shown, Bound(Publish(Partner), "totals", "{}", Person(("state", ["CA"]))).Sql, StringComparison.Ordinal);
    }

    private static IEnumerable<string> Blocks(string language) =>
        BlockPattern().Matches(Page).Where(match => match.Groups[1].Value == language).Select(match => match.Groups[2].Value);

    [GeneratedRegex("^```(\\w+)\\n(.*?)^```", RegexOptions.Multiline | RegexOptions.Singleline)]
    private static partial Regex BlockPattern();
}
