using System.Net;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.Extensions.Logging;
using Postern.Model;
using Postern.OAuth.Tests.Support;

namespace Postern.OAuth.Tests;

public sealed class OutboundTests
{
    [Theory]
    [InlineData("0.0.0.0")]
    [InlineData("10.0.0.1")]
    [InlineData("10.255.255.255")]
    [InlineData("100.64.0.1")]
    [InlineData("100.100.100.200")]
    [InlineData("127.0.0.1")]
    [InlineData("127.255.255.254")]
    [InlineData("169.254.169.254")]
    [InlineData("172.16.0.1")]
    [InlineData("172.31.255.255")]
    [InlineData("192.0.0.192")]
    [InlineData("192.168.1.1")]
    [InlineData("198.18.0.1")]
    [InlineData("224.0.0.1")]
    [InlineData("240.0.0.1")]
    [InlineData("255.255.255.255")]
    [InlineData("::")]
    [InlineData("::1")]
    [InlineData("::127.0.0.1")]
    [InlineData("::ffff:127.0.0.1")]
    [InlineData("::ffff:10.0.0.1")]
    [InlineData("::ffff:169.254.169.254")]
    [InlineData("64:ff9b::a9fe:a9fe")]
    [InlineData("fc00::1")]
    [InlineData("fd00:ec2::254")]
    [InlineData("fe80::1")]
    [InlineData("fec0::1")]
    [InlineData("ff02::1")]
    [InlineData("2001::1")]
    [InlineData("2001:db8::1")]
    [InlineData("2002:7f00:1::1")]
    public void Address_OfASpecialKind_IsRefused(string address) =>
        Assert.False(OutboundAddresses.Permits(IPAddress.Parse(address), OutboundReach.Public));

    [Theory]
    [InlineData("1.1.1.1")]
    [InlineData("9.255.255.255")]
    [InlineData("11.0.0.0")]
    [InlineData("100.63.255.255")]
    [InlineData("100.128.0.0")]
    [InlineData("172.15.255.255")]
    [InlineData("172.32.0.0")]
    [InlineData("223.255.255.255")]
    [InlineData("::ffff:1.1.1.1")]
    [InlineData("2606:4700:4700::1111")]
    [InlineData("2a00:1450:4001:81b::200e")]
    public void Address_OfThePublicNetwork_IsPermitted(string address) =>
        Assert.True(OutboundAddresses.Permits(IPAddress.Parse(address), OutboundReach.Public));

    [Fact]
    public void Reach_OfLoopback_OpensLoopbackAndNothingElse()
    {
        foreach (var own in new[] { "127.0.0.1", "127.8.8.8", "::1", "::ffff:127.0.0.1" })
            Assert.True(OutboundAddresses.Permits(IPAddress.Parse(own), OutboundReach.PublicAndLoopback));
        foreach (var other in new[] { "0.0.0.0", "10.0.0.1", "169.254.169.254", "::", "fd00::1" })
            Assert.False(OutboundAddresses.Permits(IPAddress.Parse(other), OutboundReach.PublicAndLoopback));
    }

    [Fact]
    public void Network_ThatTheOperatorAllows_IsReachedButLoopbackIsNot()
    {
        var reach = Networks("10.1.0.0/16", "127.0.0.0/8");
        Assert.True(OutboundAddresses.Permits(IPAddress.Parse("10.1.2.3"), reach));
        Assert.False(OutboundAddresses.Permits(IPAddress.Parse("10.2.0.1"), reach));
        Assert.False(OutboundAddresses.Permits(IPAddress.Parse("127.0.0.1"), reach));
    }

    [Theory] // SSRF: the machine's own credentials
    [InlineData("169.254.169.254")]
    [InlineData("169.254.170.2")]
    [InlineData("100.100.100.200")]
    [InlineData("192.0.0.192")]
    [InlineData("fe80::a9fe:a9fe")]
    [InlineData("fd00:ec2::254")]
    [InlineData("::ffff:169.254.169.254")]
    public void MetadataAddress_InANetworkThatIsAllowed_IsRefusedAllTheSame(string address) =>
        Assert.False(OutboundAddresses.Permits(IPAddress.Parse(address), Networks("0.0.0.0/0", "::/0", "100.64.0.0/10", "fc00::/7", "169.254.0.0/16", "fe80::/10")));

    [Theory]
    [InlineData("10.20.0.0/16", true)]
    [InlineData("172.16.0.0/12", true)]
    [InlineData("192.168.7.5/32", true)]
    [InlineData("100.64.0.0/10", true)]
    [InlineData("fd12:3456::/48", true)]
    [InlineData("0.0.0.0/0", false)]
    [InlineData("10.0.0.0/7", false)]
    [InlineData("127.0.0.0/8", false)]
    [InlineData("169.254.0.0/16", false)]
    [InlineData("100.100.100.200/32", false)]
    [InlineData("fd00:ec2::254/128", false)]
    [InlineData("::/0", false)]
    [InlineData("fe80::/10", false)]
    [InlineData("8.8.8.0/24", false)]
    public void Network_MayBeAllowed_OnlyWhereAllOfItIsPrivate(string network, bool may) =>
        Assert.Equal(may, OutboundAddresses.MayBeAllowed(IPNetwork.Parse(network)));

    [Fact]
    public void Reach_OfOneConnection_OpensNothingForAnother()
    {
        var open = Settings("https://as.example", "10.1.0.0/16");
        var sandbox = Settings("http://127.0.0.1:7310/oidc");
        var other = Settings("https://as.example");

        Assert.True(OutboundAddresses.Permits(IPAddress.Parse("10.1.2.3"), OutboundReach.Of(open)));
        Assert.True(OutboundAddresses.Permits(IPAddress.Loopback, OutboundReach.Of(sandbox)));
        foreach (var address in new[] { "10.1.2.3", "127.0.0.1" })
            Assert.False(OutboundAddresses.Permits(IPAddress.Parse(address), OutboundReach.Of(other)));
        Assert.False(OutboundAddresses.Permits(IPAddress.Loopback, OutboundReach.Of(open)));
        Assert.False(OutboundAddresses.Permits(IPAddress.Parse("10.1.2.3"), OutboundReach.Of(sandbox)));
    }

    [Fact]
    public void Platform_OnLoopback_OpensLoopbackForItsOwnConnectionOnly()
    {
        var near = Platform("http://127.0.0.1:7310");
        var far = Platform("https://platform.example");

        Assert.True(OutboundAddresses.Permits(IPAddress.Loopback, OutboundReach.Of(near)));
        Assert.False(OutboundAddresses.Permits(IPAddress.Loopback, OutboundReach.Of(far)));
        Assert.False(OutboundAddresses.Permits(IPAddress.Parse("10.1.2.3"), OutboundReach.Of(near)));
        Assert.True(OutboundAddresses.Permits(IPAddress.Parse("10.1.2.3"), OutboundReach.Of(far with { AllowedNetworks = [IPNetwork.Parse("10.1.0.0/16")] })));
    }

    [Fact]
    public async Task Pool_OfAPrivateNetwork_DoesNotServeAnotherReach()
    {
        using var outbound = new OutboundHttp(new OutboundOptions());

        Assert.Same(outbound.Handler(Networks("10.1.0.0/16", "10.2.0.0/16")), outbound.Handler(Networks("10.2.0.0/16", "10.1.0.0/16")));
        OutboundReach[] reaches = [OutboundReach.Public, OutboundReach.PublicAndLoopback, Networks("10.1.0.0/16"), Networks("10.1.0.0/17")];
        Assert.Equal(reaches.Length, reaches.Select(outbound.Handler).Distinct().Count());
        using var client = outbound.Client(Networks("10.1.0.0/16"), 1024, TimeSpan.FromSeconds(5));
        await Assert.ThrowsAsync<HttpRequestException>(() => client.GetAsync(new Uri("http://127.0.0.1:9/"), TestContext.Current.CancellationToken));
    }

    [Theory] // attack 7: every spelling of an address that is ours
    [InlineData("127.0.0.1")]
    [InlineData("localhost")]
    [InlineData("2130706433")]
    [InlineData("0x7f.1")]
    [InlineData("0177.0.0.1")]
    [InlineData("0.0.0.0")]
    [InlineData("[::ffff:127.0.0.1]")]
    [InlineData("[::]")]
    public async Task Connect_ToThisMachineUnderAnyName_ReachesNoListener(string host)
    {
        await using var server = await ScriptedServer.StartAsync();
        using var outbound = new OutboundHttp(new OutboundOptions());
        using var client = outbound.Client(OutboundReach.Public, 1024, TimeSpan.FromSeconds(5));

        var error = await Assert.ThrowsAsync<HttpRequestException>(() => client.GetAsync(new Uri($"http://{host}:{new Uri(server.Origin).Port}/")));

        Assert.IsType<AddressRefusedException>(Innermost(error));
        Assert.Equal(0, server.Connections);
    }

    [Fact] // attack 7: rebinding
    public async Task Connect_WhenASecondLookupWouldTurnPrivate_JudgesTheAddressItConnectsTo()
    {
        await using var server = await ScriptedServer.StartAsync();
        var lookups = 0;
        using var outbound = new OutboundHttp(new OutboundOptions { ConnectTimeout = TimeSpan.FromMilliseconds(200) }, (_, _) =>
        {
            lookups++;
            return Task.FromResult<IPAddress[]>([IPAddress.Parse("10.0.0.1"), IPAddress.Loopback, IPAddress.IPv6Loopback]);
        });
        using var client = outbound.Client(OutboundReach.Public, 1024, TimeSpan.FromSeconds(5));

        var error = await Assert.ThrowsAsync<HttpRequestException>(() => client.GetAsync(new Uri($"http://rebound.example:{new Uri(server.Origin).Port}/")));

        Assert.IsType<AddressRefusedException>(Innermost(error));
        Assert.Equal(1, lookups);
        Assert.Equal(0, server.Connections);
    }

    [Fact]
    public async Task Connect_WithAMixOfAddresses_TakesThePermittedOne()
    {
        await using var server = await ScriptedServer.StartAsync();
        server.OnJson("/", "{}");
        using var outbound = new OutboundHttp(new OutboundOptions(), (_, _) =>
            Task.FromResult<IPAddress[]>([IPAddress.Parse("10.0.0.1"), IPAddress.Loopback]));
        using var client = outbound.Client(OutboundReach.PublicAndLoopback, 1024, TimeSpan.FromSeconds(5));

        using var response = await client.GetAsync(new Uri($"http://mixed.example:{new Uri(server.Origin).Port}/"));

        Assert.Equal(HttpStatusCode.OK, response.StatusCode);
    }

    [Fact]
    public async Task Pool_OfLoopback_DoesNotServeThePublicReach()
    {
        await using var server = await ScriptedServer.StartAsync();
        using var outbound = new OutboundHttp(new OutboundOptions());
        using var near = outbound.Client(OutboundReach.PublicAndLoopback, 1024, TimeSpan.FromSeconds(5));
        using var far = outbound.Client(OutboundReach.Public, 1024, TimeSpan.FromSeconds(5));
        (await near.GetAsync(new Uri(server.Origin))).Dispose();

        await Assert.ThrowsAsync<HttpRequestException>(() => far.GetAsync(new Uri(server.Origin)));
        Assert.Single(server.Log);
    }

    [Fact]
    public async Task Client_KeepsNoCookieAndFollowsNoRedirect()
    {
        await using var server = await ScriptedServer.StartAsync();
        var cookies = new List<string>();
        server.On("/", context =>
        {
            cookies.Add(context.Request.Headers.Cookie.ToString());
            context.Response.Headers.SetCookie = "a=b; Path=/";
            context.Response.Redirect("/next");
            return Task.CompletedTask;
        });
        using var outbound = new OutboundHttp(new OutboundOptions());
        using var client = outbound.Client(OutboundReach.PublicAndLoopback, 1024, TimeSpan.FromSeconds(5));

        (await client.GetAsync(new Uri(server.Origin))).Dispose();
        (await client.GetAsync(new Uri(server.Origin))).Dispose();

        Assert.Equal(["", ""], cookies);
        Assert.Empty(server.To("/next"));
    }

    [Fact]
    public async Task Metadata_AtAnHttpsAddressOfThisMachine_IsRefusedAsAnAddress()
    {
        await using var world = await World.StartAsync();
        // The permission is for a loopback issuer; one elsewhere whose endpoints point home gets nothing.
        world.Settings = World.SettingsFor("https://10.0.0.1/as");

        (await world.Client.Metadata.GetAsync(world.Settings, CancellationToken.None)).Refused("address-refused");
    }

    [Fact] // TR-16
    public async Task Certificate_ThatNobodyVouchesFor_IsRefusedBeforeAnythingIsSent()
    {
        using var key = RSA.Create(2048);
        var name = new CertificateRequest("CN=localhost", key, HashAlgorithmName.SHA256, RSASignaturePadding.Pkcs1);
        var alternatives = new SubjectAlternativeNameBuilder();
        alternatives.AddDnsName("localhost");
        alternatives.AddIpAddress(IPAddress.Loopback);
        name.CertificateExtensions.Add(alternatives.Build());
        using var certificate = name.CreateSelfSigned(DateTimeOffset.UtcNow.AddDays(-1), DateTimeOffset.UtcNow.AddDays(1));
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.UseKestrelHttpsConfiguration();
        builder.WebHost.ConfigureKestrel(kestrel => kestrel.Listen(IPAddress.Loopback, 0, listen => listen.UseHttps(certificate)));
        await using var app = builder.Build();
        var requests = 0;
        app.Run(_ =>
        {
            requests++;
            return Task.CompletedTask;
        });
        await app.StartAsync(TestContext.Current.CancellationToken);
        await using var world = await World.StartAsync();
        var metadata = await world.MetadataAsync() with { TokenEndpoint = new Uri(app.Urls.Single() + "/token") };
        using var token = SecretBytes.FromText("marker-refresh-token");

        var answer = await world.Client.Tokens.RefreshAsync(world.Settings, metadata, token, CancellationToken.None);

        var lost = Assert.IsType<TokenAnswer.Unavailable>(answer);
        Assert.Equal((UnavailableKind.Network, false), (lost.Kind, lost.MayHaveBeenReceived));
        Assert.Equal(0, requests);
    }

    private static OutboundReach Networks(params string[] networks) => OutboundReach.Of([.. networks.Select(IPNetwork.Parse)]);

    private static AuthorizationSettings Settings(string issuer, params string[] networks) =>
        new("generic", issuer, "postern", null, ClientAuthentication.None, ["sql"])
        {
            AllowPlainHttpIssuerOnLoopback = true,
            AllowedNetworks = [.. networks.Select(IPNetwork.Parse)],
        };

    private static Connection Platform(string endpoint) => new(
        TenantId.Parse("acme"), ConnectionId.Parse("lake"), "Lake", "databricks", new Uri(endpoint), IdentityMode.User, IdentityMatch.Email,
        Settings("https://as.example"), new ExecutionSettings("w", null, null));

    private static Exception Innermost(Exception error) => error.InnerException is { } inner ? Innermost(inner) : error;
}
