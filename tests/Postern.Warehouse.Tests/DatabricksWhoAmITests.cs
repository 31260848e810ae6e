using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;
using Postern.Model;
using Postern.Warehouse.Databricks;
using Postern.Warehouse.Tests.Wire;

namespace Postern.Warehouse.Tests;

public sealed class DatabricksWhoAmITests
{
    private const string Me = "GET /api/2.0/preview/scim/v2/Me";

    [Theory]
    [InlineData("""{"id":"7","userName":"ana@skyline.example","displayName":"Ana","emails":[{"value":"old@x"},{"value":"ana@mail.example","primary":true}]}""", "ana@mail.example")]
    [InlineData("""{"id":"7","userName":"ana@skyline.example","emails":[]}""", "ana@skyline.example")]
    [InlineData("""{"id":"7","userName":"11111111-2222","emails":"none"}""", null)]
    public async Task WhoAmI_Answer_IsThePrincipalOfTheConnectionsIssuer(string body, string? email)
    {
        await using var bench = await Bench.StartAsync();
        bench.Workspace.On(Me, Answer.Json(body));
        Assert.True((await bench.Driver.WhoAmIAsync(bench.Connection, new FakeBearers.Bearer(3), default)).TryGet(out var principal, out _));
        Assert.Equal(("https://issuer.example", "7", email), (principal.Issuer, principal.Id, principal.Email));
    }

    [Theory]
    [InlineData("{}")]
    [InlineData("[1]")]
    [InlineData("<html>")]
    [InlineData("""{"id":7,"userName":"x"}""")]
    public async Task WhoAmI_Nonsense_IsNotBelieved(string body)
    {
        await using var bench = await Bench.StartAsync();
        bench.Workspace.On(Me, Answer.Json(body));
        Assert.Equal(RefusalKind.Untrusted, (await bench.Driver.WhoAmIAsync(bench.Connection, new FakeBearers.Bearer(3), default)).Refusal!.Kind);
    }

    [Fact]
    public async Task WhoAmI_TokenRefused_IsAReconnect()
    {
        await using var bench = await Bench.StartAsync();
        bench.Workspace.On(Me, Answer.TokenRefused());
        Assert.Equal("token-refused", (await bench.Driver.WhoAmIAsync(bench.Connection, new FakeBearers.Bearer(3), default)).Refusal!.Code);
    }

    [Fact]
    public async Task Registry_Connection_FindsItsDriverOrSaysWhichExist()
    {
        await using var bench = await Bench.StartAsync();
        using var http = new HttpMessageInvoker(new SocketsHttpHandler());
        await using var services = new ServiceCollection()
            .AddSingleton(TimeProvider.System).AddSingleton<IChance, SystemChance>().AddSingleton(typeof(ILogger<>), typeof(NullLogger<>))
            .AddWarehouse((_, _) => http).BuildServiceProvider();
        var registry = services.GetRequiredService<DriverRegistry>();
        Assert.True(registry.Find(bench.Connection).TryGet(out var driver, out _));
        Assert.IsType<DatabricksDriver>(driver);
        var why = registry.Find(bench.Connection with { Platform = "oracle" }).Refusal!;
        Assert.Equal("no-driver", why.Code);
        Assert.Contains("databricks", why.Detail, StringComparison.Ordinal);
    }
}
