using System.Collections.Immutable;
using System.Data;
using System.Text.Json;
using System.Text.Json.Nodes;
using DuckDB.NET.Data;
using Postern.Gateway.Workbooks;
using Postern.Model;
using static Postern.Gateway.Tests.Workbooks.Fixtures;

namespace Postern.Gateway.Tests.Workbooks;

/// <summary>The two sample workbooks, every text of every query, over a handful of flights.</summary>
public sealed class SampleTests : IDisposable
{
    private readonly DuckDBConnection database = new("DataSource=:memory:");

    public SampleTests()
    {
        database.Open();
        Run("CREATE TABLE airports (iata VARCHAR, name VARCHAR, city VARCHAR, state VARCHAR, country VARCHAR, latitude DOUBLE, longitude DOUBLE)");
        Run("INSERT INTO airports VALUES ('LAX','Los Angeles','LA','CA','USA',0,0), ('SFO','San Francisco','SF','CA','USA',0,0), ('DFW','Dallas','D','TX','USA',0,0), ('JFK','Kennedy','NY','NY','USA',0,0)");
        Run("CREATE TABLE flights (date TIMESTAMP, delay INT, distance INT, origin VARCHAR, destination VARCHAR)");
        Run("""
            INSERT INTO flights VALUES ('2001-01-05 10:00', 30, 1, 'LAX', 'JFK'), ('2001-01-06 10:00', -5, 1, 'LAX', 'JFK'), ('2001-02-06 10:00', 0, 1, 'SFO', 'DFW'),
              ('2001-03-07 10:00', 20, 1, 'DFW', 'LAX'), ('2001-04-10 10:00', 40, 1, 'DFW', 'SFO'), ('2001-05-11 10:00', 10, 1, 'JFK', 'LAX'), ('2001-06-30 23:00', 50, 1, 'SFO', 'LAX')
            """);
    }

    [Fact]
    public void Samples_EveryTextOfEveryQuery_RunsAndKeepsItsColumns()
    {
        foreach (var workbook in new[] { PublishQueries("flight_delays"), PublishQueries("partner_delays") })
        {
            foreach (var query in workbook.Queries)
            {
                Assert.InRange(query.Variants.Length, 1, 64);
                foreach (var variant in query.Variants)
                {
                    var rows = Read(variant.Sql, variant.Parameters.Select(source => (source.Name, Example(source))));
                    Assert.Equal(query.Columns.Select(column => (column.Name, column.Type)), rows.Columns.Cast<DataColumn>().Select(column => (column.ColumnName, TypeOf(column.DataType))));
                }
            }
        }
    }

    [Fact]
    public void FlightDelays_Totals_CountThePeriodAndTheStates()
    {
        var workbook = PublishQueries("flight_delays");

        Assert.Equal(4L, Totals(workbook, "{}")[0]);
        Assert.Equal(3L, Totals(workbook, """{"states":["CA"]}""")[0]);
        Assert.Equal(4L, Totals(workbook, """{"states":["CA","TX","XX"]}""")[0]);
        Assert.Equal(0.5, Totals(workbook, "{}")[2]);
        Assert.Equal(0.25, Totals(workbook, """{"min_delay":25}""")[2]);
    }

    [Theory]
    [InlineData(1, "CA")]
    [InlineData(1, "TX")]
    [InlineData(1, "NY")]
    [InlineData(3, "CA", "TX", "NY")]
    [InlineData(0, "ZZ")]
    [InlineData(0, "CA' OR '1'='1")]
    [InlineData(0, "")]
    [InlineData(0)]
    public void PartnerDelays_RowsOfTheSubjectsStates_AndNoOthers(long expected, params string[] states)
    {
        var workbook = PublishQueries("partner_delays");
        var person = Person(("state", states));

        var bound = Bound(workbook, "totals", "{}", person);
        var table = Read(Bound(workbook, "by_airport", "{}", person));

        Assert.Equal(expected, Read(bound).Rows[0][0]);
        Assert.All(table.Rows.Cast<DataRow>(), row => Assert.Contains((string)row["state"], states));
    }

    [Fact]
    public void PartnerDelays_SubjectWithoutTheAttribute_SeesNothing()
    {
        var workbook = PublishQueries("partner_delays");

        Assert.Equal(0L, Read(Bound(workbook, "totals", "{}", Person(("email", ["x@skyline.example"])))).Rows[0][0]);
        Assert.Empty(Read(Bound(workbook, "by_airport", "{}", Person())).Rows);
    }

    [Theory]
    [InlineData("flight_delays", 2)]
    [InlineData("partner_delays", 1)]
    public void Samples_Publish_WithTheirCharts(string name, int charts)
    {
        var report = new WorkbookPublisher(VegaLiteBundle.Compiler).Publish(Sample(name), Target);

        Assert.Empty(report.Problems);
        Assert.Equal(charts, report.Value!.Charts.Length);
        Assert.True(PublishedWorkbook.TryRead(report.Value.ToBody(), 1, out var read));
        var view = WorkbookView.Of(read, Clock);
        var tiles = view["pages"]![0]!["rows"]!.AsArray().SelectMany(row => row!.AsArray()).ToList();
        Assert.All(tiles.Where(tile => (string?)tile!["kind"] == "chart"), tile =>
        {
            Assert.Contains(tile!["spec"]!["data"]!.AsArray(), data => (string?)data!["name"] == "rows");
            Assert.DoesNotContain("http", tile["spec"]!.ToJsonString(), StringComparison.Ordinal);
        });
    }

    public void Dispose() => database.Dispose();

    /// <summary>The sample without its chart tiles, so that its queries are tested without the bundle.</summary>
    private static PublishedWorkbook PublishQueries(string name)
    {
        var workbook = WorkbookReader.Read(Sample(name)).Value!;
        var policies = workbook.Identities.Contains(IdentityMode.Service) ? Target.Policies : (ImmutableArray<Policy.TablePolicy>?)null;
        var queries = workbook.Queries.Select(query =>
        {
            var (published, problems) = new SqlExpander(query, SqlTemplate.Read(query.Sql, workbook.Controls).Template!, workbook.Controls, policies).Expand();
            Assert.Empty(problems);
            return published!;
        });
        return new(workbook.Id, workbook.Title, workbook.Connection, workbook.Identities, "", workbook.Controls, [.. queries], [], []) { Revision = 7 };
    }

    private DataRow Totals(PublishedWorkbook workbook, string controls) => Read(Bound(workbook, "totals", controls)).Rows[0];

    private DataTable Read(BoundQuery bound) => Read(bound.Sql, bound.Parameters.Select(parameter => (parameter.Name, Value(parameter.Type, parameter.Value))));

    // DuckDB names parameters with a dollar sign.
    private DataTable Read(string sql, IEnumerable<(string Name, object? Value)> parameters)
    {
        using var command = database.CreateCommand();
        command.CommandText = string.Concat(SqlLexer.Read(sql).Tokens.Select(token => token.Kind == SqlKind.Parameter ? "$" + token.Name : token.Text));
        foreach (var (name, value) in parameters)
            command.Parameters.Add(new DuckDBParameter(name, value ?? DBNull.Value));
        using var reader = command.ExecuteReader();
        var table = new DataTable();
        foreach (var i in Enumerable.Range(0, reader.FieldCount))
            table.Columns.Add(reader.GetName(i), reader.GetFieldType(i));
        while (reader.Read())
        {
            var values = new object[reader.FieldCount];
            reader.GetValues(values);
            table.Rows.Add(values);
        }
        return table;
    }

    private static object? Example(ParameterSource source) => Value(source.Type, source.Type switch
    {
        BoundType.Date => source.Part == "from" ? "2001-01-01" : "2001-07-01",
        BoundType.Int => "15",
        _ => "CA",
    });

    private static object? Value(BoundType type, string? value) => (type, value) switch
    {
        (_, null) => null,
        (BoundType.Date, _) => DateOnly.Parse(value),
        (BoundType.Int, _) => int.Parse(value),
        _ => value,
    };

    private static ColumnType TypeOf(Type type) =>
        type == typeof(string) ? ColumnType.String : type == typeof(long) ? ColumnType.Int : type == typeof(double) ? ColumnType.Float
        : type == typeof(DateOnly) ? ColumnType.Date : throw new InvalidOperationException($"{type} is no type of the contract.");

    private void Run(string sql)
    {
        using var command = database.CreateCommand();
        command.CommandText = sql;
        command.ExecuteNonQuery();
    }
}
