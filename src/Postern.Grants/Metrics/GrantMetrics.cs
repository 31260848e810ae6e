using System.Diagnostics.Metrics;
using Postern.Model;

namespace Postern.Grants.Metrics;

/// <summary>
/// What the token lifecycle counts, as instruments of the meter <c>Postern</c>; <c>docs/reference/metrics.md</c> lists them. Labels hold
/// outcomes and issuers, never a tenant, person or token.
/// </summary>
internal sealed class GrantMetrics : IEventListener, IDisposable
{
    /// <summary>The meter's name.</summary>
    public const string MeterName = "Postern";

    private readonly Counter<long> renewals;
    private readonly Counter<long> avoided;
    private readonly Counter<long> late;
    private readonly Counter<long> duplicated;
    private readonly Counter<long> revocations;
    private readonly Histogram<double> wait;

    public GrantMetrics()
    {
        Meter = new Meter(MeterName);
        renewals = Meter.CreateCounter<long>("postern.renewals", "{renewal}", "Renewals by outcome.");
        avoided = Meter.CreateCounter<long>("postern.renewals.avoided", "{query}", "Queries that were served by a renewal that somebody else had begun.");
        late = Meter.CreateCounter<long>("postern.renewals.late", "{renewal}", "Renewals of a grant in use that began when its token served no more, so that queries waited.");
        duplicated = Meter.CreateCounter<long>("postern.renewals.duplicated", "{renewal}", "Pairs of a rotating server that came for a generation which another renewal had replaced already: one refresh token was sent twice. Must stay 0.");
        revocations = Meter.CreateCounter<long>("postern.revocations", "{revocation}", "Revocations at providers by outcome.");
        wait = Meter.CreateHistogram<double>("postern.lease.wait", "s", "How long queries waited for a grant's token that was not in the node's cache.");
    }

    /// <summary>The meter, for the gauges of <see cref="GrantGauges"/>.</summary>
    public Meter Meter { get; }

    public void Avoided() => avoided.Add(1);

    public void Late() => late.Add(1);

    public void Duplicated() => duplicated.Add(1);

    public void Waited(TimeSpan time) => wait.Record(time.TotalSeconds);

    public void On(AuditEvent committed)
    {
        if (RenewalOutcome(committed) is { } renewal)
            renewals.Add(1, new KeyValuePair<string, object?>("outcome", renewal));
        if (RevocationOutcome(committed.Kind) is { } revocation)
            revocations.Add(1, new KeyValuePair<string, object?>("outcome", revocation));
    }

    /// <inheritdoc/>
    public void Dispose() => Meter.Dispose();

    private static string? RenewalOutcome(AuditEvent committed) => committed.Kind switch
    {
        EventKind.TokensRenewed => "renewed",
        EventKind.RenewalFailed => "failed",
        EventKind.RenewalUncertain => committed.Code == "repeated" ? "repeated" : committed.Code == "answer-lost" ? "lost" : "uncertain",
        EventKind.RenewalAbandoned => "abandoned",
        EventKind.GrantEnded => "ended",
        _ => null,
    };

    private static string? RevocationOutcome(EventKind kind) => kind switch
    {
        EventKind.ProviderRevoked => "revoked",
        EventKind.ProviderCannotRevoke => "cannot",
        EventKind.ProviderRevocationFailed => "failed",
        _ => null,
    };
}
