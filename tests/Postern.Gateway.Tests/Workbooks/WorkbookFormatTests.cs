using System.Text;
using NJsonSchema;
using Postern.Gateway.Workbooks;
using static Postern.Gateway.Tests.Workbooks.Fixtures;

namespace Postern.Gateway.Tests.Workbooks;

/// <summary>The validator and the shipped JSON Schema on the same files: what the schema can see, both refuse.</summary>
public sealed class WorkbookFormatTests
{
    private static readonly JsonSchema Schema = ReadSchema();

    /// <summary>A place of <see cref="Delays"/>, what stands there instead, the path of the problem.</summary>
    public static TheoryData<string, string, string> Structure => new()
    {
        { "workbook: delays", "workbook: Delays!", "workbook" },
        { "workbook: delays\n", "", "workbook" },
        { "schema: 1", "schema: 2", "schema" },
        { "schema: 1", "schema: '1'", "schema" },
        { "schema: 1\n", "", "schema" },
        { "title: Delays", "title: 7", "title" },
        { "title: Delays", "title: {en: Delays}", "title" },
        { "title: Delays\n", "", "title" },
        { "title: Delays", "title: Delays\nowner: me", "owner" },
        { "connection: lakehouse", "connection: https://platform.example", "connection" },
        { "identity: [user, federated]", "identity: []", "identity" },
        { "identity: [user, federated]", "identity: [anybody]", "identity" },
        { "identity: [user, federated]", "identity: user", "identity" },
        { "identity: [user, federated]", "identity: [service]", "policies" },
        { "identity: [user, federated]", "identity: [user, service]\npolicies: [flights-by-state]", "identity" },
        { "identity: [user, federated]", "identity: [user]\npolicies: [flights-by-state]", "policies" },
        { "{type: date_range", "{type: date", "controls.period.type" },
        { "default: {last: 90d}", "default: {last: 90}", "controls.period.default.last" },
        { "default: {last: 90d}", "default: {last: 0d}", "controls.period.default" },
        { "default: {last: 90d}", "default: {last: 90d, from: 2001-01-01}", "controls.period.default" },
        { "default: {last: 90d}", "default: {from: 2001-01-01}", "controls.period.default" },
        { "default: {last: 90d}", "default: yesterday", "controls.period.default" },
        { "default: {last: 90d}", "default: {until: 2001-01-01}", "controls.period.default.until" },
        { "label: Period, ", "", "controls.period.label" },
        { "many: true", "many: maybe", "controls.states.many" },
        { "max_items: 5", "max_items: 65", "controls.states.max_items" },
        { "max_items: 5", "max_items: 0", "controls.states.max_items" },
        { "options: {query: my_states, value: state}", "options: {query: my_states}", "controls.states.options.value" },
        { "options: {query: my_states, value: state}", "options: {query: my_states, value: state, sql: x}", "controls.states.options.sql" },
        { "default: 15", "default: fifteen", "controls.min_delay.default" },
        { "default: 15", "default: 1.5", "controls.min_delay.default" },
        { "min_delay: {type: int, label: Late, default: 15, ", "min_delay: {type: int, label: Late, ", "controls.min_delay.default" },
        { "host_may_set: locked", "host_may_set: sometimes", "controls.region.host_may_set" },
        { "  carrier: {type", "  carrier__0: {type", "controls.carrier__0" },
        { "  carrier: {type", "  Carrier: {type", "controls.Carrier" },
        { "{label: By day, sql:", "{sql:", "controls.grain.fragments.day.label" },
        { "sql: \"date_trunc('day', f.date)\"", "sql: \"{{ day }}\"", "controls.grain.fragments.day.sql" },
        { "f.delay >= :min_delay", "f.delay >= {{ min_delay }}", "queries.delays.sql" },
        { "f.delay >= :min_delay", "f.delay >= ${min_delay}", "queries.delays.sql" },
        { "f.delay >= :min_delay", "f.delay >= <% min_delay %>", "queries.delays.sql" },
        { "    limit: 500", "    limit: 0", "queries.delays.limit" },
        { "    limit: 500", "    limit: many", "queries.delays.limit" },
        { "    limit: 500", "    cache: {scope: global}", "queries.delays.cache" },
        { "timeout: 30s", "timeout: 30", "queries.delays.timeout" },
        { "timeout: 30s", "timeout: 301s", "queries.delays.timeout" },
        { "timeout: 30s", "timeout: 030s", "queries.delays.timeout" },
        { "columns: {state: {type: string}}", "columns: {}", "queries.my_states.columns" },
        { "columns: {state: {type: string}}", "limit: 5", "queries.my_states.columns" },
        { "columns: {state: {type: string}}", "columns: {state: {type: text}}", "queries.my_states.columns.state.type" },
        { "columns: {state: {type: string}}", "columns: {state: string}", "queries.my_states.columns.state" },
        { "columns: {state: {type: string}}", "columns: {'a b': {type: string}}", "queries.my_states.columns.a b" },
        { "title: Flights, value:", "value:", "pages[0].rows[0][0].title" },
        { "value: {field: flights}", "value: {}", "pages[0].rows[0][0].value.field" },
        { "value: {field: flights}", "text: flights", "pages[0].rows[0][0]" },
        { "value: {field: flights}", "value: {field: flights}, table: {columns: [flights]}", "pages[0].rows[0][0]" },
        { "value: {field: flights}", "value: {field: flights}, export: [csv]", "pages[0].rows[0][0].export" },
        { "value: {field: flights}", "chart: {mark: line}", "pages[0].rows[0][0].describe" },
        { "value: {field: flights}", "describe: d, chart: {mark: line, data: {url: x}}", "pages[0].rows[0][0].chart.data" },
        { "value: {field: flights}", "describe: d, chart: {}", "pages[0].rows[0][0].chart" },
        { "span: 9", "span: 13", "pages[0].rows[0][1].span" },
        { "page: 25", "page: 0", "pages[0].rows[0][1].table.page" },
        { "columns: [bucket, flights]", "columns: []", "pages[0].rows[0][1].table.columns" },
        { "columns: [bucket, flights]", "columns: [flights, flights]", "pages[0].rows[0][1].table.columns[1]" },
        { "export: [csv]", "export: [xlsx]", "pages[0].rows[0][1].export" },
        { "  - id: overview\n", "  - unknown: 1\n", "pages[0].id" },
    };

    /// <summary>As above, for what only the validator can see.</summary>
    public static TheoryData<string, string, string> Meaning => new()
    {
        { "default: {last: 90d}, default_anchor: 2001-07-01", "default: {from: 2001-04-01, to: 2001-04-01}", "controls.period.default" },
        { "default: {last: 90d}", "default: {from: 2001-02-01, to: 2001-03-01}", "controls.period.default_anchor" },
        { "default_anchor: 2001-07-01", "default_anchor: 2001-02-30", "controls.period.default_anchor" },
        { "min: 2001-01-01", "min: 2001-07-03", "controls.period.min" },
        { "default: {last: 90d}, default_anchor: 2001-07-01", "default: {from: 2000-01-01, to: 2001-02-01}", "controls.period.default" },
        { "options: {query: my_states", "options: {query: your_states", "controls.states.options.query" },
        { "value: state}", "value: name}", "controls.states.options.value" },
        { "options: {query: my_states, value: state}", "options: {query: delays, value: bucket}", "controls.states.options.query" },
        { "many: true, max_items: 5", "max_items: 5", "controls.states.max_items" },
        { "default: 15, min: -60", "default: 15, min: 60", "controls.min_delay.default" },
        { "default: west", "default: [west]", "controls.region.default" },
        { "default: day", "default: month", "controls.grain.default" },
        { "sql: \"date_trunc('day', f.date)\"", "sql: \"date_trunc('day', f.date\"", "controls.grain.fragments.day.sql" },
        { "sql: \"date_trunc('day', f.date)\"", "sql: \"1) , (2\"", "controls.grain.fragments.day.sql" },
        { "sql: \"date_trunc('day', f.date)\"", "sql: \":min_delay\"", "controls.grain.fragments.day.sql" },
        { "sql: \"date_trunc('day', f.date)\"", "sql: \"[when states: 1]\"", "controls.grain.fragments.day.sql" },
        { "[period, states, carrier, min_delay, region, grain]\n    sql", "[period, states, carrier, min_delay, region]\n    sql", "queries.delays.bind" },
        { "[period, states, carrier, min_delay, region, grain]\n    sql", "[period, states, carrier, min_delay, region, grain, nobody]\n    sql", "queries.delays.bind" },
        { "    sql: SELECT DISTINCT", "    bind: [min_delay]\n    sql: SELECT DISTINCT", "queries.my_states.bind" },
        { ":min_delay", ":max_delay", "queries.delays.sql" },
        { "[grain] AS bucket", "[grian] AS bucket", "queries.delays.sql" },
        { "[grain] AS bucket", ":grain AS bucket", "queries.delays.sql" },
        { "[grain] AS bucket", "[min_delay] AS bucket", "queries.delays.sql" },
        { ":period.from", ":period", "queries.delays.sql" },
        { ":period.from", ":period.since", "queries.delays.sql" },
        { ":min_delay AND", ":min_delay.from AND", "queries.delays.sql" },
        { "[when states: AND a.state IN (:states)]", "AND a.state IN (:states)", "queries.delays.sql" },
        { "[when carrier: AND f.carrier = :carrier]", "AND f.carrier = :carrier", "queries.delays.sql" },
        { "[when carrier: AND f.carrier = :carrier]", "[when min_delay: AND f.carrier = 'x']", "queries.delays.sql" },
        { "[when carrier: AND f.carrier = :carrier]", "[when nobody: AND f.carrier = 'x']", "queries.delays.sql" },
        { "IN (:states)", "= ANY(:states)", "queries.delays.sql" },
        { "IN (:states)", "IN (:states, 'x')", "queries.delays.sql" },
        { "IN (:states)", "IN ('x', :states)", "queries.delays.sql" },
        { "= :carrier]", "= :carrier)]", "queries.delays.sql" },
        { "f.delay >= :min_delay", "f.delay >= (:min_delay", "queries.delays.sql" },
        { "sql: SELECT DISTINCT a.state AS state FROM airports a ORDER BY 1", "sql: DELETE FROM airports", "queries.my_states.sql" },
        { "sql: SELECT DISTINCT a.state AS state FROM airports a ORDER BY 1", "sql: WITH x AS (INSERT INTO airports SELECT 1) SELECT 1", "queries.my_states.sql" },
        { "FROM airports a ORDER BY 1", "FROM airports a ORDER BY 1; DROP TABLE airports", "queries.my_states.sql" },
        { "FROM airports a ORDER BY 1", "FROM 'airports.csv' a", "queries.my_states.sql" },
        { "FROM airports a ORDER BY 1", "FROM identifier('airports') a", "queries.my_states.sql" },
        { "FROM airports a ORDER BY 1", "FROM read_csv('airports.csv') a", "queries.my_states.sql" },
        { "FROM airports a ORDER BY 1", "FROM [rows airports a]", "queries.my_states.sql" },
        { "query: delays, title: Flights", "query: nobody, title: Flights", "pages[0].rows[0][0].query" },
        { "value: {field: flights}", "value: {field: planes}", "pages[0].rows[0][0].value.field" },
        { "value: {field: flights}", "describe: d, chart: {mark: line, encoding: {x: {field: planes}}}", "pages[0].rows[0][0].chart.encoding.x.field" },
        { "value: {field: flights}", "describe: d, chart: {mark: image}", "pages[0].rows[0][0].chart.mark" },
        { "columns: [bucket, flights]", "columns: [bucket, planes]", "pages[0].rows[0][1].table.columns" },
        { "controls: [period, states", "controls: [nobody, states", "pages[0].controls" },
        { "value: {field: flights}}", "value: {field: flights}, span: 4}", "pages[0].rows[0]" },
    };

    [Fact]
    public void Validate_GoodFiles_PassValidatorAndSchema()
    {
        foreach (var text in new[] { Delays, Partner, Sample("flight_delays"), Sample("partner_delays") })
        {
            Assert.Empty(WorkbookReader.Read(text).Problems);
            Assert.Empty(Schema.Validate(YamlText.Read(text).Root!.ToJsonString()));
        }
    }

    [Theory]
    [MemberData(nameof(Structure))]
    public void Validate_BadStructure_IsRefusedByValidatorAndSchema(string place, string instead, string path)
    {
        var text = Changed(Delays, place, instead);

        Refused(text, path);
        Assert.NotEmpty(Schema.Validate(YamlText.Read(text).Root!.ToJsonString()));
    }

    [Theory]
    [MemberData(nameof(Meaning))]
    public void Validate_BadMeaning_IsRefusedByValidator(string place, string instead, string path)
    {
        var text = Changed(Delays, place, instead);

        Refused(text, path);
        Assert.Empty(Schema.Validate(YamlText.Read(text).Root!.ToJsonString()));
    }

    [Fact]
    public void Validate_SeveralProblems_TellsAllWithTheirLines()
    {
        var text = Changed(Changed(Changed(Delays, "title: Delays", "title: 7"), "max_items: 5", "max_items: 500"), "limit: 500", "limits: 500");

        var problems = WorkbookReader.Read(text).Problems;

        Assert.Equal([("title", 3), ("controls.states.max_items", 8), ("queries.delays.limits", 30)], problems.Select(problem => (problem.Path, problem.Line ?? 0)));
    }

    [Fact]
    public void Validate_SixtyFiveVariants_AreRefused()
    {
        // 9 sizes' worth of states (absent, 1 to 64: 8) times 2 carriers times 5 grains is 80.
        var more = string.Join(", ", Enumerable.Range(0, 3).Select(i => $"extra{i}: {{label: Extra, sql: '{i}'}}"));
        var text = Changed(Changed(Delays, "max_items: 5", "max_items: 64"), "fragments: {day", $"fragments: {{{more}, day");

        var problem = Assert.Single(WorkbookReader.Read(text).Problems);

        Assert.Equal("queries.delays.sql", problem.Path);
        Assert.Contains("80 variants (states 8 × carrier 2 × grain 5)", problem.Problem, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("a: &x 1\nb: *x", "anchor")]
    [InlineData("a: !!binary aGk=", "tag")]
    [InlineData("a: {<<: {b: 1}}", "merge")]
    [InlineData("a: 1\na: 2", "twice")]
    [InlineData("a: 1\n---\nb: 2", "more than one")]
    [InlineData("a: [1", "no valid YAML")]
    [InlineData("? [1, 2]\n: 3", "no valid YAML")]
    [InlineData("", "empty")]
    [InlineData("# nothing", "empty")]
    [InlineData("- 1", "mapping")]
    [InlineData("just text", "mapping")]
    public void Validate_NotThePlainYamlOfTheFormat_IsRefused(string text, string word)
    {
        var problems = WorkbookReader.Read(text).Problems;

        Assert.Contains(problems, problem => problem.Problem.Contains(word, StringComparison.OrdinalIgnoreCase));
        Assert.All(problems, problem => Assert.NotEmpty(problem.Remedy));
    }

    [Fact]
    public void Validate_GiantOrDeepFile_IsRefusedQuickly()
    {
        Assert.Contains("characters", Assert.Single(WorkbookReader.Read(new string('a', 300_000)).Problems).Problem, StringComparison.Ordinal);
        Assert.NotEmpty(WorkbookReader.Read(new StringBuilder().Insert(0, "[", 5_000).Append(']', 5_000).ToString()).Problems);
    }

    [Fact]
    public void Yaml_WordsOfOldYaml_AreTexts()
    {
        var root = YamlText.Read("a: no\nb: NO\nc: 0x1F\nd: 1_000\ne: 12:30:00\nf: .5\ng: -7\nh: 2001-01-01\ni: '7'\nj: ~").Root!;

        Assert.Equal("""{"a":"no","b":"NO","c":"0x1F","d":"1_000","e":"12:30:00","f":0.5,"g":-7,"h":"2001-01-01","i":"7","j":null}""", root.ToJsonString());
    }

    private static void Refused(string text, string path)
    {
        var report = WorkbookReader.Read(text);

        Assert.Null(report.Value);
        Assert.Contains(report.Problems, problem => problem.Path == path);
        Assert.All(report.Problems, problem =>
        {
            Assert.NotEmpty(problem.Problem);
            Assert.NotEmpty(problem.Remedy);
            Assert.NotNull(problem.Line);
        });
    }

    private static JsonSchema ReadSchema() => JsonSchema.FromJsonAsync(
        File.ReadAllText(Path.Combine(Root(), "src", "Postern.Gateway", "Workbooks", "schemas", "workbook.schema.json"))).GetAwaiter().GetResult();
}
