using Postern.Browser.Tests.Stage;

namespace Postern.Browser.Tests;

/// <summary>Everybody sees the rows that the platform lets them see, and nobody else's.</summary>
public sealed class OwnRowsTests(DemoStage stage)
{
    [Fact]
    public async Task Dashboard_AnaBenAndChloe_EachSeesOwnRows()
    {
        var ana = await LookAsync("ana");
        var ben = await LookAsync("ben");
        var chloe = await LookAsync("chloe");

        Assert.Equal(["CA"], ana.ByState.Keys);
        Assert.Equal(["TX"], ben.ByState.Keys);
        Assert.Equal(20, chloe.ByState.Count);

        Assert.True(ana.Flights > 0 && ben.Flights > 0);
        Assert.Equal(ana.Flights, ana.ByState["CA"]);
        Assert.Equal(ben.Flights, ben.ByState["TX"]);
        Assert.Equal(ana.Flights, chloe.ByState["CA"]);
        Assert.Equal(ben.Flights, chloe.ByState["TX"]);
        Assert.True(chloe.Flights > ana.Flights + ben.Flights);
        Assert.True(chloe.Flights >= chloe.ByState.Values.Sum());

        var callers = (await stage.SandboxLogAsync()).GetProperty("statements").EnumerateArray()
            .Select(statement => statement.GetProperty("caller").GetProperty("subject").GetString()!).ToHashSet();
        Assert.Superset(new HashSet<string> { "ws-ana", "ws-ben", "ws-chloe" }, callers);
    }

    [Theory]
    [InlineData("pat", "NM,TX")]
    [InlineData("kim", "WA")]
    public async Task Dashboard_Partner_SeesContractStatesWithoutConnecting(string person, string states)
    {
        await using var visit = await stage.VisitAsync();
        var page = await visit.SkylineAsync(person);

        var departures = await page.Dashboard.FigureAsync("Departures");
        var rows = await page.Dashboard.RowsAsync("Airports");

        Assert.Equal(states, string.Join(',', rows.Select(row => row[1]).Distinct().Order()));
        Assert.Equal(departures, rows.Sum(row => Number(row[2])));
        Assert.Equal(0, await page.Dashboard.ConnectButton.CountAsync());
        Assert.DoesNotContain(visit.Recorder.Requests, request => request.EndsWith("/connect", StringComparison.Ordinal) || request.EndsWith("/api/connects", StringComparison.Ordinal));
    }

    private async Task<(double Flights, Dictionary<string, double> ByState)> LookAsync(string person)
    {
        await stage.ForgetAsync(person);
        await using var visit = await stage.VisitAsync();
        var page = await visit.SkylineAsync(person);
        await page.Dashboard.ConnectedAsync(person);
        var defaultPeriod = await page.Dashboard.FigureAsync("Flights");

        // The whole of the data, which ends with June.
        await page.Dashboard.ChooseAsync("Period, last day", "2001-06-30");
        var flights = defaultPeriod;
        for (var tries = 0; flights == defaultPeriod && tries < 100; tries++)
        {
            await Task.Delay(100); // A control settles before its queries run; the figure that changes is the sign.
            flights = await page.Dashboard.FigureAsync("Flights");
        }
        Assert.True(flights > defaultPeriod);
        var rows = await page.Dashboard.RowsAsync("By origin state");
        return (flights, rows.ToDictionary(row => row[0], row => Number(row[1])));
    }

    private static double Number(string text) => double.Parse(text, System.Globalization.NumberStyles.Number, System.Globalization.CultureInfo.InvariantCulture);
}
