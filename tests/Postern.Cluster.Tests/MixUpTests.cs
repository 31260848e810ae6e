using Postern.Cluster.Tests.Actors;
using Postern.Cluster.Tests.Processes;

namespace Postern.Cluster.Tests;

/// <summary>An answer of one authorization server is never taken for another's, also where a server sends no <c>iss</c>.</summary>
public sealed class MixUpTests
{
    [Theory]
    [InlineData("/oauth/callback")]
    [InlineData("/oauth/callback/lakehouse")]
    public async Task Answer_OfAServerWithoutIss_AtAnotherConnectionsPath_SendsNoCode(string path)
    {
        await using var deployment = await Deployment.StartAsync(withoutIss: "generic");
        using var ana = new Person(deployment, "ana");
        await ana.SignInAsync();
        var consented = await ana.ConsentAsync("archive");
        Assert.Equal("/oauth/callback/archive", consented.Callback.AbsolutePath);
        Assert.DoesNotContain("iss=", consented.Callback.Query, StringComparison.Ordinal);
        await deployment.Sandbox.ClearLogAsync();

        var page = await ana.CallbackAsync(new Consented(new Uri(deployment.PublicOrigin, path + consented.Callback.Query)));

        Assert.NotEqual("ready", page.Outcome);
        Assert.Empty(await deployment.Sandbox.TokenRequestsAsync());
        await deployment.HasEventAsync("ConnectRefused", "redirect-uri-mismatch");
    }

    [Fact]
    public async Task Connect_OfAServerWithoutIss_ComesBackToItsOwnPath_AndTheOthersToTheSharedOne()
    {
        await using var deployment = await Deployment.StartAsync(withoutIss: "generic");
        using var ana = new Person(deployment, "ana");
        await ana.SignInAsync();

        await ana.ConnectAsync("archive");
        await ana.ConnectAsync("lakehouse");

        Assert.Equal(2, (await ana.GrantsAsync()).Length);
        var (code, output) = await deployment.RunAsync("redirects");
        Assert.True(code == 0, output);
        Assert.Contains(new Uri(deployment.PublicOrigin, "/oauth/callback/archive").AbsoluteUri, output, StringComparison.Ordinal);
        Assert.DoesNotContain("/oauth/callback/lakehouse", output, StringComparison.Ordinal);
    }
}
