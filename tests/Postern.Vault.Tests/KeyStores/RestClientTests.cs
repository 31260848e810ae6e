using System.Net.Http.Headers;
using Microsoft.AspNetCore.Http;
using Postern.Model;
using Postern.TestKit;

namespace Postern.Vault.Tests.KeyStores;

/// <summary>The one way out of the vault: what it repeats, what it refuses, and what it never does.</summary>
public sealed class RestClientTests : IAsyncDisposable
{
    private readonly Echo server = new();

    public async ValueTask DisposeAsync() => await server.DisposeAsync();

    [Theory]
    [InlineData("https://kms.example", true)]
    [InlineData("http://127.0.0.1:8200", true)]
    [InlineData("http://[::1]:8200", true)]
    [InlineData("http://localhost:8200", true)]
    [InlineData("http://vault.internal:8200", false)]
    [InlineData("http://127.0.0.1.attacker.example", false)]
    [InlineData("http://169.254.169.254", false)]
    [InlineData("https://user:password@kms.example", false)]
    [InlineData("https://kms.example/?x=1", false)]
    [InlineData("ftp://kms.example", false)]
    public void Endpoint_InTheClearOnAnotherMachine_IsRefused(string endpoint, bool acceptable)
    {
        Assert.Equal(acceptable, RestOptions.IsAcceptable(new Uri(endpoint)));
        if (!acceptable)
            Assert.Throws<ArgumentException>(() => new RestClient("a service", new() { Endpoint = new Uri(endpoint) }, new SystemChance(), TimeProvider.System));
    }

    [Theory]
    [InlineData(429, 3)]
    [InlineData(500, 3)]
    [InlineData(503, 3)]
    [InlineData(400, 1)]
    [InlineData(403, 1)]
    [InlineData(404, 1)]
    public async Task Request_AnsweredWithAnError_IsRepeatedOnlyWhenTheServiceSaysLater(int status, int expected)
    {
        var outcome = await SendAsync(http => http.Response.StatusCode = status);
        Assert.Equal(expected, server.Requests);
        if (expected == 3)
            Assert.Equal(VaultError.KeyStoreUnavailable, outcome.Refusal?.AsVaultError());
        else
            Assert.True(outcome.TryGet(out var answer, out _) && answer.Status == status);
    }

    [Fact]
    public async Task Request_AnsweredAtLast_IsASuccess()
    {
        var outcome = await SendAsync(http => http.Response.StatusCode = server.Requests < 3 ? 503 : 200);
        Assert.True(outcome.TryGet(out var answer, out _));
        Assert.Equal(200, answer.Status);
    }

    [Fact]
    public async Task Redirect_IsNeverFollowedAndNamedToTheOperator()
    {
        var outcome = await SendAsync(http =>
        {
            http.Response.StatusCode = 307;
            http.Response.Headers.Location = "http://169.254.169.254/";
        });
        Assert.Equal(1, server.Requests);
        Assert.Contains("redirect", outcome.Refusal!.Detail, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(RestClient.MaxAnswer, true)]
    [InlineData(RestClient.MaxAnswer + 1, false)]
    public async Task Answer_LargerThanTheBound_IsRefused(int length, bool accepted)
    {
        foreach (var announced in new[] { true, false })
        {
            var outcome = await SendAsync(async http =>
            {
                if (announced)
                    http.Response.ContentLength = length;
                await http.Response.Body.WriteAsync(new byte[length]);
            });
            Assert.Equal(accepted, outcome.Refusal is null);
        }
    }

    [Fact]
    public async Task Service_ThatIsSilent_IsGivenUpAfterTheTimeOfOneAttempt()
    {
        var release = new TaskCompletionSource();
        var outcome = await SendAsync(_ => release.Task, attempt: TimeSpan.FromMilliseconds(200));
        release.SetResult();
        Assert.Contains("did not answer within 0.2 s", outcome.Refusal!.Detail, StringComparison.Ordinal);
        Assert.Equal(1, server.Requests);
    }

    [Fact]
    public async Task Service_ThatIsNotThere_IsNotAskedAgain()
    {
        await server.StartAsync();
        var address = server.Address;
        await server.DisposeAsync();
        using var client = new RestClient("a service", new() { Endpoint = address }, new SystemChance(), TimeProvider.System);
        var outcome = await client.SendAsync("/", () => new HttpRequestMessage(), World.Cancellation);
        Assert.Contains("cannot be reached", outcome.Refusal!.Detail, StringComparison.Ordinal);
        Assert.Contains(address.Authority, outcome.Refusal.Detail, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Refusal_OfAnyKind_ShowsNoCredential()
    {
        foreach (var status in new[] { 302, 400, 401, 403, 418, 500 })
        {
            await using var fixture = (TransitFixture)await TransitFixture.StartAsync();
            fixture.Fake.Before = http =>
            {
                http.Response.StatusCode = status;
                return Task.FromResult(true);
            };
            var store = fixture.Open();
            using var key = new SecretBytes("0123456789abcdef-a-tenant-key-32"u8);
            var context = new KeyWrapContext("d", World.Acme, Guid.Empty, "p");
            var outcome = await store.WrapAsync(context, key, World.Cancellation);
            var said = outcome.Refusal + store.Description;
            Assert.DoesNotContain("transit-token-1", said, StringComparison.Ordinal);
            Assert.DoesNotContain("a-tenant-key", said, StringComparison.Ordinal);
        }
    }

    [Theory]
    [InlineData("""{"a":{"b":"AAEC"}}""", true)]
    [InlineData("""{"a":{"b":"\u0041AEC"}}""", true)]
    [InlineData("""{"a":{"b":"AAE\u0043"}}""", true)]
    [InlineData("""{"a":{"b":"AAECAA"}}""", false)]
    [InlineData("""{"a":{"b":"AAE="}}""", false)]
    [InlineData("""{"a":{"b":"AA*C"}}""", false)]
    [InlineData("""{"a":{"b":7}}""", false)]
    [InlineData("""{"a":{"b":"AAEC","b":"AAED"}}""", false)]
    [InlineData("""["AAEC"]""", false)]
    [InlineData("AAEC", false)]
    [InlineData("", false)]
    public void Secret_OfAnAnswer_IsReadOnlyWhenItIsExactlyOne(string json, bool expected)
    {
        using var answer = RestAnswer.Of(200, System.Text.Encoding.UTF8.GetBytes(json));
        var secret = new byte[3];
        Assert.Equal(expected, answer.TrySecret(secret, url: false, "a", "b"));
        Assert.Equal(expected ? [0, 1, 2] : new byte[3], secret);
    }

    [Fact]
    public void Answer_Disposed_IsWiped()
    {
        var answer = RestAnswer.Of(200, """{"plaintext":"AAEC"}"""u8);
        var body = answer.Body;
        answer.Dispose();
        Assert.Equal(new byte[body.Length], body.ToArray());
    }

    private Task<Outcome<RestAnswer>> SendAsync(Action<HttpContext> answer) => SendAsync(http =>
    {
        answer(http);
        return Task.CompletedTask;
    });

    private async Task<Outcome<RestAnswer>> SendAsync(Func<HttpContext, Task> answer, TimeSpan? attempt = null)
    {
        if (server.Requests == 0)
            await server.StartAsync();
        server.Before = async http =>
        {
            await answer(http);
            return true;
        };
        var options = new RestOptions { Endpoint = server.Address, AttemptTimeout = attempt ?? TimeSpan.FromSeconds(20) };
        using var client = new RestClient("a service", options, new SystemChance(), TimeProvider.System);
        return await client.SendAsync("/x?y=1", () =>
        {
            var request = new HttpRequestMessage();
            request.Headers.Authorization = new AuthenticationHeaderValue("Bearer", "t");
            return request;
        }, World.Cancellation);
    }

    private sealed class Echo : WireFake
    {
        protected override (int Status, object Body) Handle(HttpContext http, byte[] body) => (200, new { });
    }
}
