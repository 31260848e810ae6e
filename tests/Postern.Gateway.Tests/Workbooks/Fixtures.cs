using System.Collections.Immutable;
using System.Text.Json;
using Microsoft.Extensions.Time.Testing;
using Postern.Gateway.Workbooks;
using Postern.Model;
using Postern.Policy;

namespace Postern.Gateway.Tests.Workbooks;

/// <summary>A tenant with two connections and one policy, and a workbook that uses every kind of control.</summary>
internal static class Fixtures
{
    public static readonly TenantId Skyline = TenantId.Parse("skyline");

    public static readonly FakeTimeProvider Clock = new(new DateTimeOffset(2026, 3, 10, 12, 0, 0, TimeSpan.Zero));

    public static readonly TablePolicy FlightsByState = new("flights-by-state", "flights",
        new RowFilter.Lookup("origin", "airports", "iata", new RowFilter.In("state", "state")),
        ImmutableSortedDictionary<string, ColumnMask>.Empty, 3);

    public static readonly Connection Lakehouse = Connect("lakehouse", IdentityMode.User);

    public static readonly Connection ServiceLakehouse = Connect("lakehouse-service", IdentityMode.Service);

    public static readonly PublishTarget Target = new([Lakehouse, ServiceLakehouse], [FlightsByState]);

    /// <summary>A compiler for workbooks without charts: asking it for the bundle is a bug in the test.</summary>
    public static readonly WorkbookPublisher WithoutCharts = new(new ChartCompiler(() => throw new InvalidOperationException("No chart here.")));

    public const string Delays = """
        workbook: delays
        schema: 1
        title: Delays
        connection: lakehouse
        identity: [user, federated]
        controls:
          period: {type: date_range, label: Period, default: {last: 90d}, default_anchor: 2001-07-01, min: 2001-01-01, max: 2001-07-01}
          states: {type: string, label: States, many: true, max_items: 5, options: {query: my_states, value: state}}
          carrier: {type: string, label: Carrier, max_length: 12}
          min_delay: {type: int, label: Late, default: 15, min: -60, max: 1440}
          region: {type: string, label: Region, default: west, host_may_set: locked}
          grain: {type: choice, label: Grain, default: day, fragments: {day: {label: By day, sql: "date_trunc('day', f.date)"}, week: {label: By week, sql: "date_trunc('week', f.date)"}}}
        queries:
          my_states:
            sql: SELECT DISTINCT a.state AS state FROM airports a ORDER BY 1
            columns: {state: {type: string}}
          delays:
            bind: [period, states, carrier, min_delay, region, grain]
            sql: |
              SELECT [grain] AS bucket, count(*) AS flights, avg(f.delay)::double AS avg_delay
                FROM flights f JOIN airports a ON a.iata = f.origin
               WHERE f.date >= :period.from AND f.date < :period.to AND f.delay >= :min_delay AND a.region = :region
                 [when states: AND a.state IN (:states)]
                 [when carrier: AND f.carrier = :carrier]
               GROUP BY 1
            columns:
              bucket: {type: timestamp}
              flights: {type: int, label: Flights}
              avg_delay: {type: float, format: ".1f"}
            limit: 500
            timeout: 30s
        pages:
          - id: overview
            title: Overview
            controls: [period, states, carrier, min_delay, region, grain]
            rows:
              - - {query: delays, title: Flights, value: {field: flights}}
                - {query: delays, title: Table, span: 9, table: {columns: [bucket, flights], page: 25}, export: [csv]}
        """;

    public const string Partner = """
        workbook: partner
        schema: 1
        title: Partner
        connection: lakehouse-service
        identity: [service]
        policies: [flights-by-state]
        queries:
          totals:
            sql: SELECT count(*) AS departures FROM [rows flights f]
            columns: {departures: {type: int}}
        pages:
          - id: overview
            title: Overview
            rows:
              - - {query: totals, title: Departures, value: {field: departures}}
        """;

    public static PublishedWorkbook Publish(string text, PublishTarget? target = null)
    {
        var report = WithoutCharts.Publish(text, target ?? Target);
        Assert.Empty(report.Problems);
        return report.Value! with { Revision = 7 };
    }

    /// <summary>The text with one place changed; the place must be there, once.</summary>
    public static string Changed(string text, string place, string instead)
    {
        var at = text.IndexOf(place, StringComparison.Ordinal);
        Assert.True(at >= 0, $"'{place}' is not in the text.");
        return string.Concat(text.AsSpan(0, at), instead, text.AsSpan(at + place.Length));
    }

    public static Subject Person(params (string Attribute, string[] Values)[] attributes) => new(
        new SubjectKey(Skyline, "embed:skyline", "p-1"),
        attributes.ToImmutableSortedDictionary(pair => pair.Attribute, pair => pair.Values.ToImmutableArray(), StringComparer.Ordinal));

    public static PermittedQuery Permit(PublishedWorkbook workbook, string query, Subject? subject = null, ImmutableArray<TablePolicy>? policies = null)
    {
        var connection = Target.Connections.First(candidate => candidate.Id == workbook.Connection);
        var viewer = new Viewer(subject ?? Person(), SessionKind.Portal, null, new HashSet<ConnectionId> { connection.Id });
        Assert.True(QueryPolicy.Judge(viewer, workbook.ForPolicy(query), connection, policies ?? Target.Policies).TryGet(out var permitted, out var refusal), refusal?.Detail);
        return permitted;
    }

    public static Outcome<BoundQuery> Bind(PublishedWorkbook workbook, string query, string controls, Subject? subject = null, string? fromHost = null) =>
        workbook.Bind(Permit(workbook, query, subject), Json(controls), Clock, fromHost is null ? null : Json(fromHost));

    public static BoundQuery Bound(PublishedWorkbook workbook, string query, string controls, Subject subject, ImmutableArray<TablePolicy> policies)
    {
        Assert.True(workbook.Bind(Permit(workbook, query, subject, policies), Json(controls), Clock).TryGet(out var bound, out var refusal), refusal?.Detail);
        return bound;
    }

    public static BoundQuery Bound(PublishedWorkbook workbook, string query, string controls, Subject? subject = null, string? fromHost = null)
    {
        Assert.True(Bind(workbook, query, controls, subject, fromHost).TryGet(out var bound, out var refusal), refusal?.Detail);
        return bound;
    }

    public static JsonElement Json(string json)
    {
        using var document = JsonDocument.Parse(json);
        return document.RootElement.Clone();
    }

    public static string Root()
    {
        var folder = new DirectoryInfo(AppContext.BaseDirectory);
        while (folder is not null && !File.Exists(Path.Combine(folder.FullName, "Postern.slnx")))
            folder = folder.Parent;
        return folder?.FullName ?? throw new InvalidOperationException("The tests run inside the checkout.");
    }

    public static string Sample(string name) => File.ReadAllText(Path.Combine(Root(), "samples", "workbooks", $"{name}.workbook.yaml"));

    private static Connection Connect(string id, IdentityMode identity) => new(
        Skyline, ConnectionId.Parse(id), id, "databricks", new Uri("https://platform.example"), identity, IdentityMatch.Email,
        new AuthorizationSettings("databricks", "https://platform.example/oidc", "postern", null, ClientAuthentication.None, ["sql"]),
        new ExecutionSettings("w", "main", "demo"));
}
