using CsCheck;
using Microsoft.Extensions.Time.Testing;
using Postern.Grants.Definitions;
using Postern.Grants.Renewal;
using Postern.Grants.Sessions;
using Postern.Grants.Tests.Support;
using Postern.Model;
using Postern.OAuth;
using Postern.Policy;
using Postern.Store;

namespace Postern.Grants.Tests.Lifecycle;

/// <summary>Random lives of grants over the real store, vault, protocol client and server, compared with a small model after each step.</summary>
public sealed class GrantModelTests
{
    private static readonly int Lives = Crowd.Full ? 1_000 : 60;
    private static readonly TimeSpan NotLong = TimeSpan.FromMilliseconds(100);

    // Sessions end where a step says so.
    private static readonly TimeSpan Forever = TimeSpan.FromDays(10_000);

    /// <summary>One step of a life; some do nothing where they make no sense.</summary>
    private enum Step
    {
        Connect, Query, QueryFails, QueryLost, Refused, RefusedLost, Turn, TurnFails, TurnLost, Revoke, EndSession, Retire, KillClaimed, KillSending, Seconds, Minutes, Hour,
    }

    private static readonly Gen<(Step Step, bool Second)[]> Life = Gen.Select(
        Gen.Frequency(
            (2, Gen.Const(Step.Connect)), (4, Gen.Const(Step.Query)), (2, Gen.Const(Step.QueryFails)), (1, Gen.Const(Step.QueryLost)), (2, Gen.Const(Step.Refused)),
            (1, Gen.Const(Step.RefusedLost)), (4, Gen.Const(Step.Turn)), (1, Gen.Const(Step.TurnFails)), (1, Gen.Const(Step.TurnLost)), (1, Gen.Const(Step.Revoke)),
            (1, Gen.Const(Step.EndSession)), (1, Gen.Const(Step.Retire)), (1, Gen.Const(Step.KillClaimed)), (2, Gen.Const(Step.KillSending)),
            (3, Gen.Const(Step.Seconds)), (4, Gen.Const(Step.Minutes)), (3, Gen.Const(Step.Hour))),
        Gen.Bool).Array[5, 30];

    [Theory]
    [InlineData("steady", RefreshRotation.None)]
    [InlineData("grace", RefreshRotation.RotatingWithGrace)]
    [InlineData("lake", RefreshRotation.SingleUse)]
    [InlineData("kills", RefreshRotation.SingleUseKillsAccessTokens)]
    public async Task Grant_InAnyOrderOfEvents_IsWhereTheModelSays(string connection, RefreshRotation rotation)
    {
        await using var rig = await Rig.StartAsync(NotLong, options => Crowd.Unpaced(options) with { PortalIdle = Forever, PortalAbsolute = Forever });
        if (connection == "kills")
            await rig.AddConnectionAsync("kills", "test-kills");
        rig.Authority.Consents = rotation;
        var two = rig.AddNode("two");
        var lives = 0;
        // One at a time: they share the clock. A failure prints its seed and the shortest life that shows it.
        await Life.SampleAsync(
            async steps =>
            {
                await using var life = new OneLife(rig, two, ConnectionId.Parse(connection), rotation, $"person-{lives++}");
                foreach (var (step, second) in steps)
                    await life.DoAsync(step, second);
            },
            iter: Lives, threads: 1, print: steps => string.Join(" ", steps.Select(one => one.Second ? one.Step + "/2" : one.Step.ToString())));
    }

    private sealed class OneLife(Rig rig, TestNode two, ConnectionId connection, RefreshRotation rotation, string name) : IAsyncDisposable
    {
        private readonly GrantModel model = new(rotation);
        private readonly Subject person = Rig.Person(name);
        private readonly List<TestNode> dead = [];
        private readonly List<string> done = [];
        private Session? session;
        private bool ended;
        private GrantId id;
        private Family? family;
        private int revocations;
        private Connection? retired;

        public async Task DoAsync(Step step, bool onTwo)
        {
            var node = onTwo ? two : rig.One;
            done.Add(onTwo ? step + "/2" : step.ToString());
            session ??= await rig.One.SignInAsync(person);
            switch (step)
            {
                case Step.Connect when !model.Retired:
                    await ConnectAsync(node);
                    break;
                case Step.Query or Step.QueryFails or Step.QueryLost when family is not null:
                    await QueryAsync(node, step == Step.QueryFails ? Server.Fails : step == Step.QueryLost ? Server.LosesTheAnswer : Server.Answers);
                    break;
                case Step.Refused or Step.RefusedLost when family is not null:
                    await RefusedAsync(node, step == Step.RefusedLost ? Server.LosesTheAnswer : Server.Answers);
                    break;
                case Step.Turn or Step.TurnFails or Step.TurnLost:
                    await TurnAsync(node, step == Step.TurnFails ? Server.Fails : step == Step.TurnLost ? Server.LosesTheAnswer : Server.Answers);
                    break;
                case Step.Revoke when family is not null && model.State != GrantState.Revoked:
                    (await node.Desk.RevokeAsync(person.Key, id, Rig.Cancellation)).Value();
                    model.Revoke();
                    revocations++;
                    break;
                case Step.EndSession when !ended:
                    await node.Desk.Sessions.EndAsync(session, Rig.Cancellation);
                    ended = true;
                    break;
                case Step.Retire:
                    await RetireAsync();
                    break;
                case Step.KillClaimed when family is not null && model.MayBegin(await rig.RowAsync(id), rig.Now):
                    Assert.NotNull(await node.Store.ClaimRenewalAsync(
                        await rig.RowAsync(id), "dead", TimeSpan.FromSeconds(30), new AuditEvent(EventKind.RenewalClaimed, Rig.Acme), Rig.Cancellation));
                    model.DieClaimed();
                    break;
                case Step.KillSending when family is not null && model.MayBegin(await rig.RowAsync(id), rig.Now):
                    await KillSendingAsync();
                    break;
                case Step.Seconds:
                    rig.Clock.Advance(TimeSpan.FromSeconds(17));
                    break;
                case Step.Minutes:
                    rig.Clock.Advance(TimeSpan.FromSeconds(293));
                    break;
                case Step.Hour:
                    rig.Clock.Advance(TimeSpan.FromSeconds(3719));
                    break;
            }
            await CompareAsync();
        }

        public async ValueTask DisposeAsync()
        {
            if (model.Retired)
                await RetireAsync();
            if (family is not null && model.State == GrantState.Active)
                await rig.One.Desk.RevokeAsync(person.Key, id, Rig.Cancellation);
            foreach (var node in dead)
                await rig.KillAsync(node);
        }

        private async Task CompareAsync()
        {
            if (family is null)
                return;
            var row = await rig.RowAsync(id);
            var life = string.Join(" ", done);
            Assert.True((model.State, model.Reason, model.Generation) == (row.State, row.Reason, row.Generation),
                $"the model says {model.State} {model.Reason} {model.Generation}, the row {row.State} {row.Reason} {row.Generation}, after {life}");
            Assert.True(model.State != GrantState.Active || model.Renewal == row.Renewal, $"the model says {model.Renewal}, the row {row.Renewal}, after {life}");
            Assert.True(family.Redemptions == model.Redeemed, $"{family.Redemptions} redemptions, the model says {model.Redeemed}, after {life}");
            Assert.True(!family.Reused && family.MostOfOneToken <= model.AtMostOfOneToken, $"a token was redeemed {family.MostOfOneToken} times, after {life}");
            Assert.True((row.AccessSealed is null) == (model.State == GrantState.Revoked), $"tokens of a {row.State} grant, after {life}");
            Assert.Equal(revocations, (await rig.One.Desk.ListAsync(person.Key, Rig.Cancellation)).Sum(grant => grant.Revocations.Count));
        }

        /// <summary>The whole journey, in a new session.</summary>
        private async Task ConnectAsync(TestNode node)
        {
            (session, ended) = (await node.SignInAsync(person), false);
            var shared = "https://acme.test/oauth/callback";
            var viewer = new Viewer(person, SessionKind.Portal, null, new HashSet<ConnectionId> { connection });
            var begun = (await node.Desk.Connects.BeginAsync(
                ConnectPolicy.Judge(viewer, await node.ConnectionAsync(connection)).Value(), session, null, shared, Rig.Cancellation)).Value();
            var redirect = (await node.Desk.Connects.RedirectAsync(Rig.Acme, begun.Handle.Reveal(), null, Rig.Cancellation)).Value();
            var state = new Uri(redirect.Url).Query.TrimStart('?').Split('&').Single(part => part.StartsWith("state=", StringComparison.Ordinal));
            using var fresh = (await node.Desk.Connects.ExchangeAsync(
                Rig.Acme, CallbackParameters.Parse("code=good&" + state).Value(), redirect.Binding.Reveal(), $"{shared}/{connection}", Rig.Cancellation)).Value();
            var kept = (await node.Desk.Connects.KeepAsync(fresh, new(rig.Authority.Issuer, name, name, $"{name}@acme.test"), Rig.Cancellation)).Value();
            revocations += model.State == GrantState.Active ? 1 : 0;
            (id, family) = ((await node.Desk.Connects.ConfirmAsync(session, kept.Grant, kept.Confirmation.Reveal(), Rig.Cancellation)).Value().Id, rig.Authority.Latest);
            model.Connect();
        }

        private async Task QueryAsync(TestNode node, Server server)
        {
            var expected = model.Ask(await rig.RowAsync(id), rig.Now, refused: false, server);
            if (expected == Answer.Unknown)
            {
                (await node.Desk.Definitions.ConnectionAsync(Rig.Acme, connection, Rig.Cancellation)).Refused(RefusalKind.NotFound);
                return;
            }
            var started = await WithAsync(server, () => node.TryRunAsync(connection, session!));
            if (!started.TryGet(out var run, out var why))
            {
                Assert.Equal(expected == Answer.Token && ended ? RefusalKind.Unauthenticated : KindOf(expected), why.Kind);
                return;
            }
            await using (run)
            {
                Assert.Equal((Answer.Token, false), (expected, ended));
                Assert.Equal(model.Generation, (await run.CurrentAsync(Rig.Cancellation)).Value().Generation);
            }
        }

        private async Task RefusedAsync(TestNode node, Server server)
        {
            var expected = model.Ask(await rig.RowAsync(id), rig.Now, refused: true, server);
            var need = RenewalNeed.After((await rig.RowAsync(id)).Generation);
            var got = await WithAsync(server, () => node.Get<Renewer>().EnsureAsync(Rig.Acme, id, need, Rig.Cancellation));
            Assert.Equal(expected == Answer.Token ? null : KindOf(expected), got.Refusal?.Kind);
        }

        private async Task TurnAsync(TestNode node, Server server)
        {
            if (family is not null)
                model.Turn(await rig.RowAsync(id), rig.Now, server);
            await WithAsync(server, async () =>
            {
                await node.Get<BackgroundRenewer>().RenewAsync(Rig.Cancellation);
                return true;
            });
        }

        /// <summary>A node sends, the server does what it was asked, and nothing of that node is ever heard again.</summary>
        private async Task KillSendingAsync()
        {
            var reached = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
            rig.Authority.Script(new Fault { Reached = reached, Hold = new TaskCompletionSource().Task });
            var dying = rig.AddNode("dying-" + dead.Count, new FakeTimeProvider(rig.Now));
            dead.Add(dying);
            _ = dying.Get<Renewer>().EnsureAsync(Rig.Acme, id, RenewalNeed.After(model.Generation), CancellationToken.None);
            await reached.Task.WaitAsync(TimeSpan.FromSeconds(30), Rig.Cancellation);
            model.DieSending();
        }

        /// <summary>The connection is taken out of the configuration, or put in again; every node hears of it.</summary>
        private async Task RetireAsync()
        {
            var book = rig.One.Desk.Definitions;
            if (model.Retired)
                await book.SeedAsync(rig.Seed() with { Connections = [retired!] }, "test", Rig.Cancellation);
            else
            {
                retired = await rig.One.ConnectionAsync(connection);
                Assert.True(await book.RetireAsync(Rig.Acme, DefinitionKind.Connection, connection.Value, "test", Rig.Cancellation));
            }
            model.Retired = !model.Retired;
            foreach (var node in new[] { rig.One, two })
                node.Get<DefinitionBook>().OnMissed();
        }

        private async Task<T> WithAsync<T>(Server server, Func<Task<T>> work)
        {
            if (server != Server.Answers)
                rig.Authority.Script(server == Server.Fails ? Fault.ServerError : Fault.LostAnswer);
            var done = await rig.PumpAsync(work());
            rig.Authority.ClearScript();
            return done;
        }

        private static RefusalKind KindOf(Answer answer) => answer switch
        {
            Answer.Unavailable => RefusalKind.AuthorizationServerUnavailable,
            Answer.Reconnect => RefusalKind.ReconnectRequired,
            _ => RefusalKind.NotFound,
        };
    }
}
