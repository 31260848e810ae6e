using CsCheck;
using Postern.Model;
using Postern.OAuth.Tests.Support;

namespace Postern.OAuth.Tests;

public sealed class CallbackTests
{
    private const string Issuer = "https://as.example/tenant";

    private static readonly OAuthOptions Defaults = new();
    private static readonly AuthorizationSettings Settings = World.SettingsFor(Issuer);

    private static PendingAuthorization Pending(bool expectsIss = true, string state = "the-state") => new(
        new SecretText(state), new SecretText("the-verifier"), null, Issuer, World.ClientId, World.RedirectUri,
        new Uri("https://as.example/tenant/token"), expectsIss);

    private static Outcome<ValidatedCallback> Judge(
        string query, PendingAuthorization? pending = null, OAuthOptions? options = null, string receivedAt = World.RedirectUri,
        AuthorizationSettings? settings = null)
    {
        var outcome = CallbackParameters.Parse(query);
        return outcome.TryGet(out var parameters, out var refusal)
            ? new CallbackJudge(options ?? Defaults).Judge(parameters, pending ?? Pending(), settings ?? Settings, receivedAt)
            : refusal;
    }

    private static string Iss(string issuer = Issuer) => "&iss=" + Uri.EscapeDataString(issuer);

    [Theory]
    [InlineData("?code=c%2B1&state=the-state&iss=https%3A%2F%2Fas.example%2Ftenant")]
    [InlineData("code=c%2B1&state=the-state&iss=https://as.example/tenant&session_state=x&foo[]=bar&empty")]
    public void Callback_OfAnHonestServer_IsBelieved(string query) =>
        Assert.Equal("c+1", Judge(query).Value().TakeCode().Reveal());

    [Theory]
    [InlineData("code=1&state=other")]
    [InlineData("code=1&state=THE-STATE")]
    [InlineData("code=1&state=the-state%20")]
    [InlineData("error=access_denied&state=other")]
    public void State_OfAnotherRequest_IsRefused(string query) => Judge(query + Iss()).Refused("state-mismatch");

    [Theory]
    [InlineData("code=1")]
    [InlineData("code=1&state=")]
    [InlineData("code=1&state[]=the-state")]
    [InlineData("error=access_denied")]
    [InlineData("")]
    [InlineData("?")]
    [InlineData("&&&")]
    public void State_Missing_IsRefused(string query) => CallbackParameters.Parse(query).Refused("state-missing");

    [Theory]
    [InlineData("state=the-state")]
    [InlineData("state=the-state&code=")]
    [InlineData("state=the-state&code=1&error=access_denied")]
    public void Response_WithNeitherOrBothOfCodeAndError_IsMalformed(string query) =>
        CallbackParameters.Parse(query).Refused("response-malformed");

    [Theory] // CB-13
    [InlineData("code=1&code=1&state=s")]
    [InlineData("code=1&state=s&state=s")]
    [InlineData("code=1&state=s&iss=a&iss=b")]
    [InlineData("code=1&state=s&c%6Fde=2")]
    [InlineData("error=x&error=y&state=s")]
    [InlineData("code=1&state=s&foo=1&foo=2")]
    public void Parameter_Twice_IsRefused(string query) => CallbackParameters.Parse(query).Refused("duplicate-parameter");

    [Theory] // CB-14
    [InlineData("code=a%00b&state=s")]
    [InlineData("code=a%0d%0ab&state=s")]
    [InlineData("code=1&state=s%7f")]
    [InlineData("code=1&state=s&foo=%01")]
    [InlineData("code=%ff&state=s")]
    [InlineData("code=%c0%80&state=s")]
    [InlineData("code=%zz&state=s")]
    [InlineData("code=1&state=s%4")]
    [InlineData("code=1&state=s%")]
    [InlineData("code=é&state=s")]
    public void Parameter_WithImpossibleCharacters_IsRefused(string query) => CallbackParameters.Parse(query).Refused("invalid-character");

    [Fact]
    public void Parameter_OverTheLimit_IsRefused()
    {
        CallbackParameters.Parse("code=1&state=" + new string('s', 5000)).Refused("parameter-too-large");
        CallbackParameters.Parse("code=1&state=s&foo=" + new string('x', 100_000)).Refused("query-too-large");
        CallbackParameters.Parse("code=1&state=s&" + string.Join('&', Enumerable.Range(0, 100).Select(i => $"p{i}=x"))).Refused("query-too-large");
    }

    [Fact] // CB-01
    public void Iss_MissingWhereAnnounced_IsRefused() => Judge("code=1&state=the-state").Refused("iss-missing");

    [Theory] // CB-02: no normalisation
    [InlineData("https://as.example/tenant/")]
    [InlineData("https://AS.example/tenant")]
    [InlineData("https://as.example:443/tenant")]
    [InlineData("https://as.example/%74enant")]
    [InlineData("https://as.example/")]
    [InlineData("")]
    public void Iss_ThatIsNotTheIssuerByteForByte_IsRefused(string issuer)
    {
        Judge("code=1&state=the-state" + Iss(issuer)).Refused("iss-mismatch");
        Judge("code=1&state=the-state" + Iss(issuer), Pending(expectsIss: false), new OAuthOptions { AcceptUnannouncedIss = true })
            .Refused("iss-mismatch");
    }

    [Fact] // CB-03
    public void Iss_FromAServerThatDoesNotAnnounceIt_IsForTheOperatorToAllow()
    {
        var query = "code=1&state=the-state" + Iss();
        Judge(query, Pending(expectsIss: false)).Refused("iss-unannounced");
        Judge(query, Pending(expectsIss: false), new OAuthOptions { AcceptUnannouncedIss = true }).Value();
        Judge("code=1&state=the-state", Pending(expectsIss: false)).Value();
    }

    [Theory] // CB-04, CB-08: the issuer is judged first, and no text of the response survives
    [InlineData("&iss=https://evil.example", "iss-mismatch")]
    [InlineData("", "iss-missing")]
    public void Error_FromAnotherIssuer_IsNotActedOn(string iss, string code)
    {
        var refusal = Judge("error=access_denied&error_description=%3Cb%3Emarker&state=the-state" + iss).Refused(code);
        Assert.DoesNotContain("marker", refusal.ToString(), StringComparison.Ordinal);
    }

    [Fact]
    public void Error_Denied_SaysThatThePersonDenied()
    {
        var refusal = Judge("error=access_denied&error_description=marker&error_uri=https://evil.example&state=the-state" + Iss()).Refused("access-denied");
        Assert.Equal(RefusalKind.ReconnectRequired, refusal.Kind);
        Assert.Equal(ReconnectReason.Denied, refusal.Reconnect);
        Assert.DoesNotContain("marker", refusal.ToString(), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("server_error", "server-error", RefusalKind.AuthorizationServerUnavailable)]
    [InlineData("temporarily_unavailable", "temporarily-unavailable", RefusalKind.AuthorizationServerUnavailable)]
    [InlineData("invalid_scope", "invalid-scope", RefusalKind.InvalidRequest)]
    [InlineData("marker<script>", "unregistered-error", RefusalKind.InvalidRequest)]
    [InlineData("ACCESS_DENIED", "unregistered-error", RefusalKind.InvalidRequest)]
    public void Error_IsKeptAsARegisteredCodeOnly(string error, string code, RefusalKind kind)
    {
        var refusal = Judge($"error={Uri.EscapeDataString(error)}&state=the-state{Iss()}").Refused(code);
        Assert.Equal(kind, refusal.Kind);
        Assert.DoesNotContain("marker", refusal.ToString(), StringComparison.Ordinal);
    }

    [Theory] // attack 1: a code of server B in a request that went to A
    [InlineData("&iss=https%3A%2F%2Fb.example", "iss-mismatch")]
    [InlineData("", "iss-missing")]
    public void MixUp_WithTheVictimsState_NeverReachesATokenEndpoint(string iss, string code) =>
        Judge("code=code-of-b&state=the-state" + iss).Refused(code);

    [Fact] // attack 1 (iii), CB-06: without iss the place decides
    public void MixUp_OnAnotherConnectionsRedirectUri_IsRefused() =>
        Judge("code=code-of-b&state=the-state", Pending(expectsIss: false), receivedAt: World.RedirectUri + "/b").Refused("redirect-uri-mismatch");

    [Fact] // attack 1 (ii): B lies that it is A; the code then goes to A, with A's verifier, and not to B
    public async Task MixUp_WithAStolenIss_SendsTheCodeToTheRecordedServerOnly()
    {
        await using var a = await World.StartAsync();
        await using var b = await World.StartAsync();
        a.PublishMetadata(",\"authorization_response_iss_parameter_supported\":true");
        a.Server.OnJson("/as/token", """{"error":"invalid_grant"}""", 400);
        var request = await a.BeginAsync();

        var callback = a.Judge($"code=code-of-b&state={request.Pending.State.Reveal()}{Iss(a.Server.Issuer)}", request.Pending).Value();
        var answer = await a.Client.Tokens.ExchangeAsync(callback, a.Settings, CancellationToken.None);

        Assert.True(Assert.IsType<TokenAnswer.Rejected>(answer).EndsGrant);
        Assert.Single(a.Server.To("/as/token"));
        Assert.Empty(b.Server.Log);
    }

    [Fact]
    public async Task Exchange_WithTheSettingsOfAnotherConnection_IsABug()
    {
        await using var world = await World.StartAsync();
        var callback = await world.CallbackAsync();

        await Assert.ThrowsAsync<ArgumentException>(() =>
            world.Client.Tokens.ExchangeAsync(callback, World.SettingsFor("https://other.example"), CancellationToken.None));
        Assert.Empty(world.Server.To("/as/token"));
    }

    [Theory]
    [InlineData("https://as.example/tenant2", "postern")]
    [InlineData(Issuer, "postern2")]
    public void Connection_ChangedMeanwhile_IsRefused(string issuer, string client) =>
        Judge("code=1&state=the-state" + Iss(), settings: World.SettingsFor(issuer) with { ClientId = client }).Refused("connection-changed");

    [Fact]
    public void Code_TakenTwice_IsABug()
    {
        var callback = Judge("code=1&state=the-state" + Iss()).Value();
        callback.TakeCode();
        Assert.Throws<InvalidOperationException>(() => callback.TakeCode());
    }

    [Fact]
    public void StateDigest_OfTheResponse_FindsThePendingRow() =>
        Assert.Equal(Pending().StateDigest, CallbackParameters.Parse("code=1&state=the-state").Value().StateDigest);

    [Fact]
    public void Parse_OfAnyText_AnswersAndNeverThrows() =>
        Gen.String[Gen.Char["abcdestiour=&%+?#[]0123456789fF\0\r\né"], 0, 200].Sample(text =>
            _ = CallbackParameters.Parse(text).Refusal);

    [Fact]
    public void Parse_OfAnyEscapedValues_GivesThemBack() =>
        Gen.Select(Gen.String[Gen.Char[' ', '\uD7FF'], 1, 60], Gen.String[Gen.Char[' ', '\uD7FF'], 1, 60])
            .Where(pair => !pair.Item1.Any(char.IsControl) && !pair.Item2.Any(char.IsControl))
            .Sample((state, code) =>
            {
                var parameters = CallbackParameters.Parse($"state={Uri.EscapeDataString(state)}&code={Uri.EscapeDataString(code)}").Value();
                Assert.Equal(state, parameters.State.Reveal());
                Assert.Equal(code, parameters.Code!.Reveal());
            });
}
