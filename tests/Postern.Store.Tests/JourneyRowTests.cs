using Postern.Model;

namespace Postern.Store.Tests;

/// <summary>Sessions, sign-ins, connects and embed codes: each step once, in time, by the one it belongs to.</summary>
public abstract class JourneyRowTests<TDatabase> : StoreSuite<TDatabase> where TDatabase : ITestDatabase
{
    [Fact]
    public async Task Session_CreatedTouchedEnded_LivesUntilThen()
    {
        await using var fixture = await StartAsync();
        var session = Given.NewSession(fixture) with
        {
            Kind = SessionKind.Frame, Workbook = WorkbookId.Parse("sales"), EmbedKey = "skyline", Origin = "https://host.example",
        };
        await fixture.Store.MustAsync([SessionChanges.Create(session)], EventKind.FrameOpened);
        var read = await fixture.Store.Sessions.FindAsync(Given.Tenant, session.Id, Cancellation);
        Assert.Equal(session with { Mac = read!.Mac }, read);
        Assert.Equal(session.Mac, read.Mac);
        Assert.True(read.IsLive(fixture.Now));
        Assert.Null(await fixture.Store.Sessions.FindAsync(TenantId.Parse("other"), session.Id, Cancellation));

        fixture.Clock.Advance(TimeSpan.FromMinutes(59));
        Assert.True((await fixture.Store.UpkeepAsync(SessionChanges.Touch(session, fixture.Now.AddHours(1), [7]), Cancellation)).Committed);
        var touched = (await fixture.Store.Sessions.FindAsync(Given.Tenant, session.Id, Cancellation))!;
        Assert.Equal(fixture.Now.AddHours(1), touched.IdleExpiresAt);
        Assert.Equal([7], touched.Mac);
        // Not from what was read before somebody else's touch, and never beyond its end.
        Assert.False((await fixture.Store.UpkeepAsync(SessionChanges.Touch(session, fixture.Now.AddHours(2), [8]), Cancellation)).Committed);
        Assert.False((await fixture.Store.UpkeepAsync(SessionChanges.Touch(touched, fixture.Now.AddDays(9), [8]), Cancellation)).Committed);

        await fixture.Store.MustAsync([SessionChanges.End(Given.Tenant, session.Id)], EventKind.SignedOut);
        var ended = (await fixture.Store.Sessions.FindAsync(Given.Tenant, session.Id, Cancellation))!;
        Assert.False(ended.IsLive(fixture.Now));
        Assert.Null(ended.Mac);
        await fixture.Store.RefuseAsync("session-end", [SessionChanges.End(Given.Tenant, session.Id)]);
        var late = await fixture.Store.UpkeepAsync(SessionChanges.Touch(touched, fixture.Now.AddHours(2), [9]), Cancellation);
        Assert.Equal(CommitResult.RefusedBy("session-touch"), late);
    }

    [Fact]
    public async Task Sessions_OfAPerson_EndTogetherAndTheFeedNamesEach()
    {
        await using var fixture = await StartAsync();
        var (first, second) = (Given.NewSession(fixture), Given.NewSession(fixture, secret: "another") with { Kind = SessionKind.Frame });
        var bens = Given.NewSession(fixture, Given.Ana with { Id = "ben" }, "ben's");
        await fixture.Store.MustAsync([SessionChanges.Create(first), SessionChanges.Create(second), SessionChanges.Create(bens)]);

        await fixture.Store.MustAsync([SessionChanges.EndAllOf(Given.Ana, SessionKind.Frame)]);
        Assert.Equal(first.Id, Assert.Single(await fixture.Store.Sessions.ListOfAsync(Given.Ana, Cancellation)).Id);
        await fixture.Store.MustAsync([SessionChanges.EndAllOf(Given.Ana)]);

        Assert.Empty(await fixture.Store.Sessions.ListOfAsync(Given.Ana, Cancellation));
        Assert.Single(await fixture.Store.Sessions.ListOfAsync(bens.Subject, Cancellation));
        var told = await fixture.Database.ListAsync<string>("SELECT entity_key FROM changes WHERE kind = 2 ORDER BY id");
        Assert.Equal([second.Id.Hex, first.Id.Hex], told);
    }

    [Fact]
    public async Task SignIn_Used_OnceInTimeByTheBoundBrowser()
    {
        await using var fixture = await StartAsync();
        var signIn = new SignInRow(SecretHash.Of("state"), Given.Tenant, SecretHash.Of("binding"), [7], "/portal", fixture.Now.AddMinutes(10));
        await fixture.Store.UpkeepAsync(SignInChanges.Begin(signIn), Cancellation);
        var read = await fixture.Store.Sessions.FindSignInAsync(Given.Tenant, signIn.State, Cancellation);
        Assert.Equal(signIn with { Sealed = read!.Sealed }, read);

        var use = SignInChanges.Use(Given.Tenant, signIn.State, signIn.Binding);
        Assert.False((await fixture.Store.UpkeepAsync(SignInChanges.Use(Given.Tenant, signIn.State, SecretHash.Of("another browser")), Cancellation)).Committed);
        Assert.True((await fixture.Store.UpkeepAsync(use, Cancellation)).Committed);
        Assert.False((await fixture.Store.UpkeepAsync(use, Cancellation)).Committed);
    }

    [Fact]
    public async Task SignIn_TooLate_IsRefused()
    {
        await using var fixture = await StartAsync();
        var signIn = new SignInRow(SecretHash.Of("state"), Given.Tenant, SecretHash.Of("binding"), [7], "/portal", fixture.Now.AddMinutes(10));
        await fixture.Store.UpkeepAsync(SignInChanges.Begin(signIn), Cancellation);
        fixture.Clock.Advance(TimeSpan.FromMinutes(10));

        Assert.False((await fixture.Store.UpkeepAsync(SignInChanges.Use(Given.Tenant, signIn.State, signIn.Binding), Cancellation)).Committed);
    }

    [Fact]
    public async Task Connect_StepByStep_EachOnce()
    {
        await using var fixture = await StartAsync();
        await fixture.Store.MustAsync([SessionChanges.Create(Given.NewSession(fixture))]);
        var connect = Given.NewConnect(fixture, "handle");
        var (state, binding) = (SecretHash.Of("state"), SecretHash.Of("binding"));
        await fixture.Store.MustAsync([ConnectChanges.Begin(connect)], EventKind.ConnectBegun);
        var read = await fixture.Store.Connects.FindByHandleAsync(connect.Handle, Cancellation);
        Assert.Equal(connect with { Sealed = read!.Sealed, Mac = read.Mac }, read);
        Assert.Equal([1], read.Mac);

        var redirect = ConnectChanges.Redirect(
            connect with { RedirectUri = connect.RedirectUri + "/lakehouse", State = state, Binding = binding, Sealed = [9], Mac = [2] });
        await fixture.Store.MustAsync([redirect], EventKind.ConnectRedirected);
        await fixture.Store.RefuseAsync("connect-redirect", [redirect]);

        read = await fixture.Store.Connects.FindByStateAsync(state, Cancellation);
        Assert.Equal((ConnectStage.Redirected, binding), (read!.Stage, read.Binding!.Value));
        Assert.Equal("https://gateway.example/oauth/callback/lakehouse", read.RedirectUri);
        Assert.Equal([9], read.Sealed);
        Assert.Equal([2], read.Mac);
        Assert.False((await fixture.Store.UpkeepAsync(ConnectChanges.Use(state, SecretHash.Of("another browser")), Cancellation)).Committed);
        var uses = await Task.WhenAll(Enumerable.Range(0, 8).Select(_ => fixture.Store.UpkeepAsync(ConnectChanges.Use(state, binding), Cancellation)));
        Assert.Single(uses, use => use.Committed);
        Assert.Null((await fixture.Store.Connects.FindByStateAsync(state, Cancellation))!.Mac);
        await fixture.Store.RefuseAsync("connect-fail", [ConnectChanges.Fail(Given.Tenant, connect.Id)]);
    }

    [Fact]
    public async Task Connect_TooLateOrFailed_GoesNoFurther()
    {
        await using var fixture = await StartAsync();
        await fixture.Store.MustAsync([SessionChanges.Create(Given.NewSession(fixture))]);
        var (failed, late) = (Given.NewConnect(fixture, "failed"), Given.NewConnect(fixture, "late"));
        await fixture.Store.MustAsync([ConnectChanges.Begin(failed), ConnectChanges.Begin(late)]);
        await fixture.Store.MustAsync([ConnectChanges.Fail(Given.Tenant, failed.Id)], EventKind.ConnectRefused);

        await fixture.Store.RefuseAsync("connect-redirect", [ConnectChanges.Redirect(failed with { State = SecretHash.Of("s1"), Binding = SecretHash.Of("b") })]);
        await fixture.Store.MustAsync([ConnectChanges.Redirect(late with { State = SecretHash.Of("s2"), Binding = SecretHash.Of("b") })]);
        fixture.Clock.Advance(TimeSpan.FromMinutes(10));
        Assert.False((await fixture.Store.UpkeepAsync(ConnectChanges.Use(SecretHash.Of("s2"), SecretHash.Of("b")), Cancellation)).Committed);
    }

    [Fact]
    public async Task Connect_BeyondEightPending_IsRefusedUntilOneEnds()
    {
        await using var fixture = await StartAsync();
        await fixture.Store.MustAsync([SessionChanges.Create(Given.NewSession(fixture))]);
        var connects = Enumerable.Range(0, ConnectChanges.MaxPendingPerSession).Select(i => Given.NewConnect(fixture, $"h{i}")).ToArray();
        foreach (var connect in connects)
            await fixture.Store.MustAsync([ConnectChanges.Begin(connect)]);
        var ninth = Given.NewConnect(fixture, "ninth");

        await fixture.Store.RefuseAsync("connect-begin", [ConnectChanges.Begin(ninth)]);
        await fixture.Store.MustAsync([ConnectChanges.Fail(Given.Tenant, connects[0].Id)]);
        await fixture.Store.MustAsync([ConnectChanges.Begin(ninth)]);
    }

    [Fact]
    public async Task Connect_WithoutALiveSession_IsRefused()
    {
        await using var fixture = await StartAsync();

        await fixture.Store.RefuseAsync("connect-begin", [ConnectChanges.Begin(Given.NewConnect(fixture, "handle"))]);
    }

    [Fact]
    public async Task EmbedCode_Redeemed_OnceByTheFrameWithTheNonce()
    {
        await using var fixture = await StartAsync();
        var code = NewCode(fixture);
        await fixture.Store.MustAsync([EmbedCodeChanges.Issue(code)], EventKind.EmbedCodeIssued);
        var read = await fixture.Store.EmbedCodes.FindAsync(Given.Tenant, code.Code, Cancellation);
        Assert.Equal(code with { Mac = read!.Mac }, read);
        Assert.Equal([1], read.Mac);

        await fixture.Store.RefuseAsync("embed-code-redeem", [EmbedCodeChanges.Redeem(Given.Tenant, code.Code, "another challenge")]);
        var redeem = EmbedCodeChanges.Redeem(Given.Tenant, code.Code, code.Challenge);
        var results = await Task.WhenAll(Enumerable.Range(0, 8).Select(i => fixture.Store.CommitAsync(
            [redeem, SessionChanges.Create(Given.NewSession(fixture, secret: $"frame {i}"))], Given.Event(EventKind.FrameOpened), null, Cancellation)));

        Assert.Single(results, r => r.Committed);
        Assert.Null((await fixture.Store.EmbedCodes.FindAsync(Given.Tenant, code.Code, Cancellation))!.Mac);
        Assert.Equal(1, await fixture.ScalarAsync<long>("SELECT COUNT(*) FROM sessions"));
    }

    [Fact]
    public async Task EmbedCode_TooLate_IsRefused()
    {
        await using var fixture = await StartAsync();
        var code = NewCode(fixture);
        await fixture.Store.MustAsync([EmbedCodeChanges.Issue(code)], EventKind.EmbedCodeIssued);
        fixture.Clock.Advance(TimeSpan.FromSeconds(60));

        await fixture.Store.RefuseAsync("embed-code-redeem", [EmbedCodeChanges.Redeem(Given.Tenant, code.Code, code.Challenge)]);
    }

    [Fact]
    public async Task Prune_RemovesOnlyWhatNothingCanUse()
    {
        await using var fixture = await StartAsync();
        await fixture.Store.MustAsync([
            SessionChanges.Create(Given.NewSession(fixture)),
            EmbedCodeChanges.Issue(NewCode(fixture)),
            SignInChanges.Begin(new(SecretHash.Of("state"), Given.Tenant, SecretHash.Of("b"), [], "/", fixture.Now.AddMinutes(10))),
            ConnectChanges.Begin(Given.NewConnect(fixture, "handle"))]);
        await PruneService.PruneAsync(fixture.Store, fixture.Database.Options, Cancellation);
        Assert.Equal("1111", await RowsAsync());
        fixture.Clock.Advance(TimeSpan.FromHours(2));
        await PruneService.PruneAsync(fixture.Store, fixture.Database.Options, Cancellation);
        Assert.Equal("1000", await RowsAsync());
        fixture.Clock.Advance(TimeSpan.FromDays(2));
        await PruneService.PruneAsync(fixture.Store, fixture.Database.Options, Cancellation);
        Assert.Equal("0000", await RowsAsync());

        async Task<string> RowsAsync()
        {
            var counts = new List<long>();
            foreach (var table in (string[])["sessions", "embed_codes", "sign_ins", "pending_connects"])
                counts.Add(await fixture.ScalarAsync<long>($"SELECT COUNT(*) FROM {table}"));
            return string.Concat(counts);
        }
    }

    private static EmbedCodeRow NewCode(StoreFixture fixture) => new(
        SecretHash.Of("code"), Given.Ana, "skyline", "{}", WorkbookId.Parse("sales"), "https://host.example", "challenge", fixture.Now.AddSeconds(60))
    { Mac = [1] };
}

public sealed class JourneyRowTestsOnSqlite : JourneyRowTests<Sqlite>;

public sealed class JourneyRowTestsOnPostgreSql : JourneyRowTests<PostgreSql>;

public sealed class JourneyRowTestsOnMariaDb : JourneyRowTests<MariaDb>;
