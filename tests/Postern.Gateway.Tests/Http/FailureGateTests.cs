using System.Data.Common;
using System.Text.Json;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging.Abstractions;
using Postern.Gateway.Http;
using Postern.Gateway.Pages;
using Postern.Model;

namespace Postern.Gateway.Tests.Http;

public sealed class FailureGateTests
{
    private const string Inner = "SELECT * FROM grants WHERE id = 'secret-marker'";

    [Fact]
    public async Task Failure_OfTheStore_IsNotNowAndNothingOfItIsTold()
    {
        var (context, body) = await MeetAsync(new StoreFailure());

        Assert.Equal((503, "1"), (context.Response.StatusCode, context.Response.Headers.RetryAfter.ToString()));
        Assert.Equal("store-unavailable", JsonDocument.Parse(body).RootElement.GetProperty("code").GetString());
        Assert.DoesNotContain("secret-marker", body, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Failure_ThatIsARefusal_IsAnsweredAsThatRefusal()
    {
        var (context, body) = await MeetAsync(new Refused(new(RefusalKind.Unavailable, "Vault Transit at https://vault.internal:8200 answered 503.") { Code = "vault-key-store-unavailable", RetryAfter = TimeSpan.FromSeconds(5) }));

        Assert.Equal((503, "5"), (context.Response.StatusCode, context.Response.Headers.RetryAfter.ToString()));
        Assert.Equal("vault-key-store-unavailable", JsonDocument.Parse(body).RootElement.GetProperty("code").GetString());
        // Where the key store is, and what it said, is the operator's.
        Assert.DoesNotContain("vault.internal", body, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Failure_OfAKeyThatWasEdited_IsAFaultAndPromisesNothing()
    {
        var (context, body) = await MeetAsync(new Refused(new(RefusalKind.Untrusted, "A wrapped key does not belong where it was found.") { Code = "vault-refused" }));

        Assert.Equal((500, ""), (context.Response.StatusCode, context.Response.Headers.RetryAfter.ToString()));
        Assert.DoesNotContain("wrapped", body, StringComparison.Ordinal);
        Assert.DoesNotContain("Nothing is lost", body, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Failure_ThatNobodyForesaw_IsAProblemWithATraceIdAndNothingElse()
    {
        var (context, body) = await MeetAsync(new InvalidOperationException(Inner));

        var problem = JsonDocument.Parse(body).RootElement;
        Assert.Equal((500, "urn:postern:internal"), (context.Response.StatusCode, problem.GetProperty("type").GetString()));
        Assert.NotEmpty(problem.GetProperty("traceId").GetString()!);
        Assert.DoesNotContain("secret-marker", body, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(typeof(StoreFailure), 503)]
    [InlineData(typeof(InvalidOperationException), 500)]
    public async Task Failure_OfANavigation_IsAPage(Type failure, int status)
    {
        var (context, body) = await MeetAsync((Exception)Activator.CreateInstance(failure)!, accept: "text/html,*/*");

        Assert.Equal((status, "text/html; charset=utf-8"), (context.Response.StatusCode, context.Response.ContentType));
        Assert.Contains("<h1>", body, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Failure_ToReadTheRequest_KeepsItsStatus()
    {
        var (context, _) = await MeetAsync(new BadHttpRequestException(Inner, 413));

        Assert.Equal(413, context.Response.StatusCode);
    }

    [Fact]
    public async Task Failure_AfterHeadersWereSet_TakesThemBackAndKeepsTheSecurityHeaders()
    {
        var (context, _) = await MeetAsync(new StoreFailure(), before: response => response.Headers.SetCookie = "__Host-postern=half-made");

        Assert.False(context.Response.Headers.ContainsKey("Set-Cookie"));
        Assert.Contains("frame-ancestors 'none'", context.Response.Headers.ContentSecurityPolicy.ToString(), StringComparison.Ordinal);
    }

    private static async Task<(HttpContext Context, string Body)> MeetAsync(Exception failure, string accept = "application/json", Action<HttpResponse>? before = null)
    {
        var context = new DefaultHttpContext { RequestServices = new ServiceCollection().AddLogging().BuildServiceProvider() };
        context.Request.Method = "GET";
        context.Request.Headers.Accept = accept;
        using var body = new MemoryStream();
        context.Response.Body = body;
        await new FailureGate(
            met =>
            {
                before?.Invoke(met.Response);
                throw failure;
            },
            new Shell(null!), NullLogger<FailureGate>.Instance).InvokeAsync(context);
        return (context, System.Text.Encoding.UTF8.GetString(body.ToArray()));
    }

    private sealed class StoreFailure() : DbException(Inner);

    private sealed class Refused(Refusal refusal) : RefusedException(refusal);
}
