using System.Collections.Concurrent;
using System.Diagnostics.Metrics;
using Postern.Grants.Metrics;
using Postern.Grants.Renewal;
using Postern.Grants.Tests.Support;
using Postern.Model;

namespace Postern.Grants.Tests.Metrics;

/// <summary>What an operator can tell from the metrics alone.</summary>
public sealed class MetricsTests
{
    private static readonly TimeSpan NotLong = TimeSpan.FromMilliseconds(500);

    [Fact]
    public async Task Storm_OfOneGrant_IsOneRenewalAndTheRestAvoided()
    {
        await using var rig = await Rig.StartAsync();
        using var metrics = new Listening(rig.One.Get<GrantMetrics>().Meter);
        await rig.GrantAsync(Rig.Lake);
        rig.Clock.Advance(TimeSpan.FromMinutes(61));
        var hold = new TaskCompletionSource();
        rig.Authority.Script(new Fault { Hold = hold.Task });
        var leases = Enumerable.Range(0, 16).Select(_ => rig.One.LeaseAsync(Rig.Lake)).ToList();
        await rig.SoonAsync(() => rig.One.Get<Renewer>().Waiting == 16);
        hold.SetResult();
        foreach (var lease in leases)
            (await rig.PumpAsync(lease)).Value();

        Assert.Equal((1, 15, 1, 0), (metrics.Sum("postern.renewals", "renewed"), metrics.Sum("postern.renewals.avoided"), metrics.Sum("postern.renewals.late"), metrics.Sum("postern.renewals.duplicated")));
        Assert.Equal(16, metrics.Count("postern.lease.wait"));
    }

    [Fact]
    public async Task Failures_AreCountedByOutcome_AndTheServerIsShownAsResting()
    {
        await using var rig = await Rig.StartAsync(NotLong, options => options with { IssuerFailures = 1 });
        using var metrics = new Listening(rig.One.Get<GrantMetrics>().Meter);
        await rig.One.StartAsync(rig.One.Get<GrantGauges>());
        await rig.GrantAsync(Rig.Lake, absoluteEnd: rig.Now.AddHours(2));
        rig.Clock.Advance(TimeSpan.FromMinutes(61));
        rig.Authority.Script(Fault.ServerError);

        (await rig.One.LeaseAsync(Rig.Lake)).Refused(RefusalKind.AuthorizationServerUnavailable);
        await rig.One.Get<GrantGauges>().CountAsync(Rig.Cancellation);

        Assert.Equal((1, 0), (metrics.Sum("postern.renewals", "failed"), metrics.Sum("postern.renewals", "renewed")));
        Assert.Equal((1, 1), (metrics.Gauge("postern.issuer.circuit"), metrics.Gauge("postern.grants.near_end")));
        Assert.Equal(new GrantHealth(RestingServers: 1, SpooledPairs: 0), rig.One.Desk.Health);
    }

    [Theory]
    [InlineData("grace", 1)]
    [InlineData("steady", 0)]
    public async Task SecondPairOfOneGeneration_IsCountedAsDuplicatedWhereTheServerSpendsTokensAndNowhereElse(string connection, int duplicated)
    {
        await using var rig = await Rig.StartAsync(NotLong);
        using var metrics = new Listening(rig.One.Get<GrantMetrics>().Meter);
        var (id, family) = await rig.GrantAsync(ConnectionId.Parse(connection));
        rig.Clock.Advance(TimeSpan.FromMinutes(61));
        var reached = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        var hold = new TaskCompletionSource();
        rig.Authority.Script(new Fault { Reached = reached, Hold = hold.Task });
        var renewing = rig.One.Get<Renewer>().EnsureAsync(Rig.Acme, id, RenewalNeed.ToUse, Rig.Cancellation);
        await reached.Task;
        await rig.SqlAsync("UPDATE grants SET renewal_deadline = @now WHERE id = @id", new { now = rig.Now.ToUnixTimeMilliseconds(), id = id.ToString() });
        (await rig.AddNode("two").Get<Renewer>().EnsureAsync(Rig.Acme, id, RenewalNeed.ToUse, Rig.Cancellation)).Value();
        hold.SetResult();
        (await rig.PumpAsync(renewing)).Value();

        Assert.Equal((duplicated, 1, 2), (metrics.Sum("postern.renewals.duplicated"), metrics.Sum("postern.renewals", "abandoned"), family.Redemptions));
    }

    /// <summary>One node's meter: others of the same name belong to other tests.</summary>
    private sealed class Listening : IDisposable
    {
        private readonly MeterListener listener = new();
        private readonly ConcurrentQueue<(string Name, double Value, string? Outcome)> measured = new();

        public Listening(Meter meter)
        {
            listener.InstrumentPublished = (instrument, self) =>
            {
                if (ReferenceEquals(instrument.Meter, meter))
                    self.EnableMeasurementEvents(instrument);
            };
            listener.SetMeasurementEventCallback<long>((instrument, value, tags, _) => measured.Enqueue((instrument.Name, value, Outcome(tags))));
            listener.SetMeasurementEventCallback<double>((instrument, value, tags, _) => measured.Enqueue((instrument.Name, value, Outcome(tags))));
            listener.Start();
        }

        public int Sum(string name, string? outcome = null) => (int)measured.Where(one => one.Name == name && (outcome is null || one.Outcome == outcome)).Sum(one => one.Value);

        public int Count(string name) => measured.Count(one => one.Name == name);

        public int Gauge(string name)
        {
            measured.Clear();
            listener.RecordObservableInstruments();
            return (int)measured.Last(one => one.Name == name).Value;
        }

        public void Dispose() => listener.Dispose();

        private static string? Outcome(ReadOnlySpan<KeyValuePair<string, object?>> tags) => tags.Length > 0 ? tags[0].Value?.ToString() : null;
    }
}
