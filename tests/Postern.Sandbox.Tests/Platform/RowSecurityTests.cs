using static Postern.Sandbox.Tests.Platform.PlatformServer;

namespace Postern.Sandbox.Tests.Platform;

[Collection(nameof(PlatformCollection))]
public sealed class RowSecurityTests(PlatformServer server)
{
    [Theory]
    [InlineData("ana", "370248", "CA")]
    [InlineData("ben", "355905", "TX")]
    public async Task Flights_OfARegionalUser_AllLeaveFromTheirState(string user, string count, string state)
    {
        var rows = await server.RowsAsync(user,
            "SELECT count(*), min(a.state), max(a.state) FROM main.demo.flights f JOIN main.demo.airports a ON a.iata = f.origin");
        Assert.Equal([count, state, state], rows[0]);
    }

    [Theory]
    [InlineData("ana", "370248")]
    [InlineData("chloe", "3000000")]
    [InlineData("admin", "3000000")]
    [InlineData("service", "3000000")]
    [InlineData("nowhere", "0")]
    public async Task Flights_CountedByViewer_AreThoseOfTheFilter(string user, string count) =>
        Assert.Equal(count, (await server.RowsAsync(user, "SELECT count(*) FROM flights"))[0][0]);

    [Theory]
    [InlineData("flights")]
    [InlineData("demo.flights")]
    [InlineData("main.demo.flights")]
    [InlineData("`main`.`demo`.`flights`")]
    [InlineData("MAIN.Demo.Flights")]
    public async Task Flights_UnderEveryName_AreTheSameFilteredTable(string name) =>
        Assert.Equal("370248", (await server.RowsAsync("ana", $"SELECT count(*) FROM {name}"))[0][0]);

    [Fact]
    public async Task Airports_ForEverybody_HaveAllRows() =>
        Assert.Equal("3376", (await server.RowsAsync("ana", "SELECT count(*) FROM airports"))[0][0]);

    [Theory]
    [InlineData("admin", true)]
    [InlineData("chloe", false)]
    [InlineData("ana", false)]
    [InlineData("service", false)]
    public async Task Coordinates_AreExactForAdministratorsOnly(string user, bool exact)
    {
        var inexact = (await server.RowsAsync(user, "SELECT count(*) FROM airports WHERE latitude <> round(latitude, 0) OR longitude <> round(longitude, 0)"))[0][0];
        Assert.Equal(exact, inexact != "0");
    }

    [Fact]
    public async Task Routes_WithoutGrant_AreRefusedWithTheWordCode()
    {
        using var response = await server.PostAsync("ana", new() { ["statement"] = "SELECT * FROM main.demo.routes" });
        Assert.Equal(403, (int)response.StatusCode);
        var body = await response.Content.ReadAsStringAsync();
        Assert.Contains("\"error_code\":\"PERMISSION_DENIED\"", body, StringComparison.Ordinal);
        Assert.Contains("main.demo.routes", body, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Routes_WithGrant_CanBeRead() =>
        Assert.Equal("5366", (await server.RowsAsync("chloe", "SELECT count(*) FROM routes"))[0][0]);

    [Fact]
    public async Task CurrentUser_NamesTheCaller() =>
        Assert.Equal(["ana@skyline.example", "false"], (await server.RowsAsync("ana", "SELECT current_user(), is_account_group_member('admins')"))[0]);

    [Fact]
    public async Task Statement_OfSomebodyElse_DoesNotExist()
    {
        var id = Id(await server.ExecuteAsync("ana", "SELECT 1"));
        foreach (var (method, path) in ((HttpMethod, string)[])
            [(HttpMethod.Get, ""), (HttpMethod.Post, "/cancel"), (HttpMethod.Get, "/result/chunks/0"), (HttpMethod.Delete, "")])
        {
            using var response = await server.SendAsync(method, $"/api/2.0/sql/statements/{id}{path}", "ben");
            Assert.Equal(404, (int)response.StatusCode);
        }

        Assert.Equal("SUCCEEDED", State(await server.PollAsync("ana-again", id)));
    }
}
