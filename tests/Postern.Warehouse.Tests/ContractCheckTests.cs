using Postern.Model;

namespace Postern.Warehouse.Tests;

public sealed class ContractCheckTests
{
    private static readonly ConnectionId Connection = ConnectionId.Parse("lakehouse");

    [Theory]
    [InlineData("a:int b:string", "b:string a:int", true)]
    [InlineData("a:float", "a:decimal", true)]
    [InlineData("a:date", "a:null", true)]
    [InlineData("a:int", "a:decimal", false)]
    [InlineData("a:int", "a:string", false)]
    [InlineData("a:date", "a:timestamp", false)]
    [InlineData("a:int", "A:int", false)]
    [InlineData("a:int", "a:int salary:int", false)]
    [InlineData("a:int b:int", "a:int", false)]
    [InlineData("a:int", "a:int a:int", false)]
    public void Verify_Columns_FitOrAreRefused(string declared, string actual, bool fits)
    {
        var outcome = ContractCheck.Verify(
            Connection, [.. Parse(declared).Select(c => new DeclaredColumn(c.Name, c.Type))], [.. Parse(actual).Select(c => new ResultColumn(c.Name, c.Type, ""))]);
        Assert.Equal(fits, outcome.Refusal is null);
        Assert.True(fits || outcome.Refusal!.Code == "contract");
    }

    [Fact]
    public void ColumnTypeNames_All_ReadBack()
    {
        foreach (var type in Enum.GetValues<ColumnType>())
        {
            Assert.True(ColumnTypes.TryParse(type.Name(), out var again));
            Assert.Equal(type, again);
        }
        Assert.False(ColumnTypes.TryParse("varchar", out _));
    }

    private static IEnumerable<(string Name, ColumnType Type)> Parse(string columns) => columns.Split(' ').Select(c =>
    {
        Assert.True(ColumnTypes.TryParse(c.Split(':')[1], out var type));
        return (c.Split(':')[0], type);
    });
}
