using System.Collections.Concurrent;
using System.Runtime.ExceptionServices;
using System.Text;
using CsCheck;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;
using Postern.Model;
using Postern.OAuth.Tests.Support;

namespace Postern.OAuth.Tests;

/// <summary>Every secret of these tests contains "marker-"; here all that could show one is searched for it.</summary>
public sealed class SecrecyTests
{
    [Fact]
    public async Task Secrets_AreInNoTextThatTheClientMakes()
    {
        await using var world = await World.StartAsync();
        world.Server.OnJson("/as/token", World.GoodTokens);
        var request = await world.BeginAsync();
        var state = request.Pending.State.Reveal();
        var parameters = CallbackParameters.Parse($"code=marker-code&state={state}").Value();
        var callback = world.Client.Callbacks.Judge(parameters, request.Pending, world.Settings, World.RedirectUri).Value();
        var answer = await world.Client.Tokens.ExchangeAsync(callback, world.Settings, CancellationToken.None);

        foreach (var thing in new object[] { request, request.Pending, parameters, callback, answer, world.Settings })
        {
            var text = thing.ToString()!;
            Assert.DoesNotContain("marker-", text, StringComparison.Ordinal);
            Assert.DoesNotContain(state, text, StringComparison.Ordinal);
            Assert.DoesNotContain(request.Pending.Verifier.Reveal(), text, StringComparison.Ordinal);
        }
    }

    [Fact]
    public async Task Secrets_AreInNoExceptionEvenOneThatIsCaught()
    {
        var raised = new ConcurrentBag<string>();
        void Listen(object? sender, FirstChanceExceptionEventArgs args) => raised.Add(args.Exception.ToString());
        AppDomain.CurrentDomain.FirstChanceException += Listen;
        try
        {
            await using var world = await World.StartAsync();
            foreach (var body in new[]
            {
                """{"access_token":"marker-access-token","token_type":"Bearer""", """{"access_token":"marker-access-token\ud800","token_type":"Bearer"}""",
                """{"access_token":"marker-access-token"} marker-trailing""", "marker-body", """{"marker-name":marker-value}""",
            })
            {
                world.Server.OnJson("/as/token", body);
                Assert.IsType<TokenAnswer.Unavailable>(await world.RefreshAsync());
                Assert.IsType<TokenAnswer.Unavailable>(await world.ExchangeAsync());
            }
            world.Server.On("/as/token", context =>
            {
                context.Abort();
                return Task.CompletedTask;
            });
            Assert.IsType<TokenAnswer.Unavailable>(await world.RefreshAsync());
        }
        finally
        {
            AppDomain.CurrentDomain.FirstChanceException -= Listen;
        }

        Assert.NotEmpty(raised); // the faults did raise exceptions inside
        Assert.DoesNotContain(raised, text => text.Contains("marker-", StringComparison.Ordinal));
    }

    [Fact]
    public async Task Tokens_Disposed_AreWiped()
    {
        await using var world = await World.StartAsync();
        world.Server.OnJson("/as/token", World.GoodTokens);
        var tokens = Assert.IsType<TokenAnswer.Issued>(await world.RefreshAsync()).Tokens;

        tokens.Dispose();

        Assert.Throws<ObjectDisposedException>(() => tokens.Access.Text());
        Assert.Throws<ObjectDisposedException>(() => tokens.Refresh!.Text());
    }

    [Fact] // attack 2, R7: a stolen code does not fit another browser's verifier
    public async Task Code_OfAnotherBrowser_FailsAtAServerThatChecksPkce()
    {
        await using var world = await World.StartAsync();
        var challenges = new ConcurrentDictionary<string, string>(StringComparer.Ordinal);
        world.Server.On("/as/token", async context =>
        {
            var form = await context.Request.ReadFormAsync();
            var challenge = System.Buffers.Text.Base64Url.EncodeToString(
                System.Security.Cryptography.SHA256.HashData(Encoding.ASCII.GetBytes(form["code_verifier"].ToString())));
            var fits = challenges.TryRemove(form["code"].ToString(), out var expected) && expected == challenge;
            await ScriptedServer.Json(context, fits ? World.GoodTokens : """{"error":"invalid_grant"}""", fits ? 200 : 400);
        });
        var thief = await world.BeginAsync();
        var victim = await world.BeginAsync();
        challenges["code-of-thief"] = Expect.Query(thief.Url)["code_challenge"];
        challenges["code-of-victim"] = Expect.Query(victim.Url)["code_challenge"];

        var injected = world.Judge($"code=code-of-thief&state={victim.Pending.State.Reveal()}", victim.Pending).Value();
        var refused = await world.Client.Tokens.ExchangeAsync(injected, world.Settings, CancellationToken.None);
        var own = world.Judge($"code=code-of-victim&state={victim.Pending.State.Reveal()}", victim.Pending).Value();
        var issued = await world.Client.Tokens.ExchangeAsync(own, world.Settings, CancellationToken.None);

        Assert.True(Assert.IsType<TokenAnswer.Rejected>(refused).EndsGrant);
        Assert.IsType<TokenAnswer.Issued>(issued);
    }

    [Fact]
    public void Form_OfAnyFields_DecodesToTheSame() =>
        Gen.Select(Gen.String[Gen.Char['\u0001', '\uD7FF'], 0, 3000], Gen.String[Gen.Char.AlphaNumeric, 1, 20]).Sample((value, name) =>
        {
            using var form = new SecretForm().Add(name, value).Add("last", "&");
            using var stream = new MemoryStream();
            form.CopyToAsync(stream).GetAwaiter().GetResult();
            Assert.Equal($"{name}={Uri.EscapeDataString(value)}&last=%26", Encoding.ASCII.GetString(stream.ToArray()));
            Assert.Equal(stream.Length, form.Headers.ContentLength);
        }, iter: 200);

    [Fact]
    public void Container_GivesOneClientOverOneOutbound()
    {
        using var provider = new ServiceCollection()
            .AddSingleton<IChance, SystemChance>()
            .AddSingleton(TimeProvider.System)
            .AddOAuthClient()
            .BuildServiceProvider();

        Assert.Same(provider.GetRequiredService<OAuthClient>(), provider.GetRequiredService<OAuthClient>());
        Assert.NotSame(
            provider.GetRequiredService<OutboundHttp>().Handler(OutboundReach.Public),
            provider.GetRequiredService<OutboundHttp>().Handler(OutboundReach.PublicAndLoopback));
    }
}
