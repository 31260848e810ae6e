using System.Collections.Immutable;
using Postern.Gateway.Workbooks;
using Postern.Model;
using Postern.Policy;
using static Postern.Gateway.Tests.Workbooks.Fixtures;

namespace Postern.Gateway.Tests.Workbooks;

/// <summary>Under one service identity, a protected table is read through its policy or not at all.</summary>
public sealed class ServiceWorkbookTests
{
    private const string Rows = "SELECT count(*) AS departures FROM [rows flights f]";

    [Fact]
    public void Publish_Rows_BecomesAFilteredTableWithBoundAttributes()
    {
        var bound = Bound(Publish(Partner), "totals", "{}", Person(("state", ["CA"])));

        Assert.Equal(
            "SELECT count(*) AS departures FROM (SELECT p0.* FROM flights p0 WHERE p0.origin IN (SELECT p1.iata FROM airports p1 WHERE p1.state IN (:subject__state__0))) f",
            bound.Sql);
        Assert.Equal(new BoundParameter("subject__state__0", BoundType.String, "CA"), Assert.Single(bound.Parameters));
    }

    [Theory]
    [InlineData]
    [InlineData("")]
    [InlineData("", "")]
    public void Bind_AttributeWithoutValues_BindsNullAndSoNoRows(params string[] values)
    {
        var workbook = Publish(Partner);

        foreach (var person in new[] { Person(), Person(("state", values)), Person(("State", ["CA"])) })
        {
            var bound = Bound(workbook, "totals", "{}", person);
            Assert.Contains("p1.state IN (:subject__state__0)", bound.Sql, StringComparison.Ordinal);
            Assert.Null(Assert.Single(bound.Parameters).Value);
        }
    }

    [Fact]
    public void Bind_SeveralValues_PadToSixtyFour()
    {
        var bound = Bound(Publish(Partner), "totals", "{}", Person(("state", ["CA", "TX", "CA"])));

        Assert.Equal(64, bound.Parameters.Length);
        Assert.Equal(["CA", "TX"], bound.Parameters.Select(parameter => parameter.Value).Distinct());
        Assert.Equal("TX", bound.Parameters[^1].Value);
    }

    [Fact]
    public void Bind_MoreValuesThanPublished_IsRefusedAndNeverCutOff()
    {
        var many = Enumerable.Range(0, 65).Select(i => $"S{i}").ToArray();

        var refusal = Bind(Publish(Partner), "totals", "{}", Person(("state", many))).Refusal;

        Assert.Equal("attribute-too-many", refusal?.Code);
    }

    [Fact]
    public void Bind_ControlNamedAsTheAttribute_IsUnknown()
    {
        Assert.Equal("control-unknown", Bind(Publish(Partner), "totals", """{"state":"CA"}""").Refusal?.Code);
        Assert.Equal("control-unknown", Bind(Publish(Partner), "totals", """{"subject__state__0":"CA"}""").Refusal?.Code);
    }

    [Theory]
    [InlineData("SELECT count(*) AS departures FROM flights f")]
    [InlineData("SELECT count(*) AS departures FROM FLIGHTS f")]
    [InlineData("SELECT count(*) AS departures FROM main.demo.flights f")]
    [InlineData("SELECT count(*) AS departures FROM main . demo . flights f")]
    [InlineData("SELECT count(*) AS departures FROM `flights` f")]
    [InlineData("SELECT count(*) AS departures FROM main.`Flights` f")]
    [InlineData("SELECT count(*) AS departures FROM `main.demo.flights` f")]
    [InlineData("SELECT count(*) AS departures FROM \"flights\" f")]
    [InlineData("SELECT count(*) AS departures FROM/**/flights f")]
    [InlineData("SELECT count(*) AS departures FROM -- x\nflights f")]
    [InlineData("SELECT count(*) AS departures FROM [rows flights f], flights g")]
    [InlineData("SELECT count(*) AS departures FROM [rows flights f] JOIN flights g ON true")]
    [InlineData("SELECT count(*) AS departures FROM [rows flights f] CROSS JOIN (flights g)")]
    [InlineData("SELECT count(*) AS departures FROM airports where, flights g")]
    [InlineData("SELECT count(*) AS departures FROM [rows flights f] WHERE f.delay > (SELECT avg(delay) FROM flights)")]
    [InlineData("SELECT count(*) AS departures FROM [rows flights f] WHERE EXISTS (FROM flights)")]
    [InlineData("SELECT count(*) AS departures FROM [rows flights f] UNION ALL SELECT count(*) FROM flights")]
    [InlineData("SELECT count(*) AS departures FROM [rows flights f] UNION ALL TABLE flights")]
    [InlineData("WITH flights AS (SELECT 1 AS x) SELECT count(*) AS departures FROM [rows flights f]")]
    [InlineData("WITH g AS (SELECT * FROM flights) SELECT count(*) AS departures FROM g, [rows flights f]")]
    [InlineData("SELECT count(*) AS departures FROM (SELECT 1 AS main) AS main.flights")]
    [InlineData("SELECT count(*) AS departures FROM [rows flights f] JOIN airports AS flights.snapshots ON true")]
    [InlineData("SELECT count(*) AS departures FROM [rows flights f] ORDER BY flights")]
    [InlineData("SELECT count(*) AS departures FROM flights.snapshots, [rows flights f]")]
    [InlineData("SELECT count(*) AS departures FROM identifier('fli' || 'ghts') f, [rows flights g]")]
    [InlineData("SELECT count(*) AS departures FROM query_table('flights') f, [rows flights g]")]
    [InlineData("SELECT count(*) AS departures FROM 'flights' f, [rows flights g]")]
    [InlineData("SELECT count(*) AS departures FROM read_parquet('flights.parquet') f, [rows flights g]")]
    public void Publish_ProtectedTableOutsideRows_IsRefused(string sql)
    {
        var problems = WithoutCharts.Publish(Changed(Partner, "sql: " + Rows, "sql: " + Quoted(sql)), Target).Problems;

        // The reason counts: a query that reads no table through a policy is refused for that already.
        Assert.Contains(problems, problem => problem.Path == "queries.totals.sql" && (problem.Problem.Contains("outside [rows …]", StringComparison.Ordinal)
            || problem.Problem.Contains("named by a text", StringComparison.Ordinal) || problem.Problem.Contains("A text stands", StringComparison.Ordinal)));
    }

    [Theory]
    [InlineData("SELECT count(*) AS flights, 'flights' AS departures FROM [rows flights f] -- flights")]
    [InlineData("SELECT a.name, count(*) AS departures FROM [rows main.demo.flights f] JOIN airports a ON a.iata = f.origin GROUP BY a.name")]
    public void Publish_NameBehindAsOrInText_IsAccepted(string sql)
    {
        var workbook = Publish(Changed(Partner, "sql: " + Rows, "sql: " + Quoted(sql)));

        Assert.Equal([FlightsByState.Stamp], workbook.FindQuery("totals")!.Policies);
    }

    [Theory]
    [InlineData("SELECT count(*) AS departures FROM [rows airports f]")]
    [InlineData("SELECT count(*) AS departures FROM airports f")]
    public void Publish_QueryWithoutAPolicy_IsRefused(string sql) =>
        Refused(Changed(Partner, "sql: " + Rows, "sql: " + Quoted(sql)), "queries.totals.sql");

    [Theory]
    [InlineData("connection: lakehouse-service", "connection: elsewhere", "connection")]
    [InlineData("connection: lakehouse-service", "connection: lakehouse", "identity")]
    [InlineData("policies: [flights-by-state]", "policies: [nothing-here]", "policies")]
    [InlineData("policies: [flights-by-state]", "policies: [flights-by-state, other]", "policies")]
    public void Publish_TargetDoesNotFit_IsRefused(string place, string instead, string path) => Refused(Changed(Partner, place, instead), path);

    [Fact]
    public void Publish_UserWorkbookOnAServiceConnection_IsRefused() =>
        Refused(Changed(Delays, "connection: lakehouse\n", "connection: lakehouse-service\n"), "identity");

    [Fact]
    public void Publish_PolicyThatAppliesButIsNotNamed_IsRefused()
    {
        var second = FlightsByState with { Name = "late-only" };

        Refused(Partner, "policies", Target with { Policies = [FlightsByState, second] });
    }

    [Theory]
    [InlineData("origin; DROP", "airports", "state")]
    [InlineData("origin", "airports a, secrets", "state")]
    [InlineData("origin", "airports", "state) OR (1")]
    [InlineData("origin", "airports", "a__b")]
    public void Publish_PolicyWithNamesThatAreSql_IsRefused(string column, string table, string attribute)
    {
        var policy = FlightsByState with { Rows = new RowFilter.Lookup(column, table, "iata", new RowFilter.In("state", attribute)) };

        Refused(Partner, "policies", Target with { Policies = [policy] });
    }

    [Fact]
    public void Publish_TwoPoliciesAndMasks_ApplyTogetherTheStrictestMask()
    {
        var masks = ImmutableSortedDictionary<string, ColumnMask>.Empty.Add("destination", ColumnMask.Hash).Add("delay", ColumnMask.Null);
        var second = new TablePolicy("short", "main.demo.Flights", new RowFilter.Or(new RowFilter.In("carrier", "carrier"), new RowFilter.Nothing()),
            masks.Add("origin", ColumnMask.Hide), 1);
        var first = FlightsByState with { Masks = masks.SetItem("destination", ColumnMask.Hide) };
        var text = Changed(Partner, "policies: [flights-by-state]", "policies: [flights-by-state, short]");

        var bound = Bound(Publish(text, Target with { Policies = [first, second] }), "totals", "{}", Person(("state", ["CA"]), ("carrier", ["AA"])), [first, second]);

        Assert.Contains("SELECT p0.* EXCEPT (delay, destination, origin), CASE WHEN 1 = 0 THEN p0.delay END AS delay FROM flights p0", bound.Sql, StringComparison.Ordinal);
        Assert.EndsWith("(p0.carrier IN (:subject__carrier__0) OR 1 = 0))) f", bound.Sql, StringComparison.Ordinal);
        Assert.Contains(" AND ", bound.Sql, StringComparison.Ordinal);
    }

    [Fact]
    public void Judge_PolicyChangedRemovedOrAdded_StopsThePublishedQuery()
    {
        var workbook = Publish(Partner);
        var viewer = new Viewer(Person(), SessionKind.Portal, null, new HashSet<ConnectionId> { ServiceLakehouse.Id });
        string? Code(params TablePolicy[] current) => QueryPolicy.Judge(viewer, workbook.ForPolicy("totals"), ServiceLakehouse, current).Refusal?.Code;

        Assert.Null(Code(FlightsByState));
        Assert.Equal("policy-changed", Code(FlightsByState with { Revision = 4 }));
        Assert.Equal("policy-missing", Code());
        Assert.Equal("policy-changed", Code(FlightsByState, FlightsByState with { Name = "another" }));
        Assert.Null(Code(FlightsByState, FlightsByState with { Name = "another", Table = "airports" }));
    }

    private static void Refused(string text, string path, PublishTarget? target = null)
    {
        var report = WithoutCharts.Publish(text, target ?? Target);

        Assert.Null(report.Value);
        Assert.Contains(report.Problems, problem => problem.Path == path);
        Assert.All(report.Problems, problem => Assert.NotEmpty(problem.Remedy));
    }

    private static string Quoted(string sql) => "\"" + sql.Replace("\\", "\\\\", StringComparison.Ordinal).Replace("\"", "\\\"", StringComparison.Ordinal).Replace("\n", "\\n", StringComparison.Ordinal) + "\"";
}
