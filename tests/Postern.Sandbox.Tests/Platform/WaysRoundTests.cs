using System.Net.Http.Json;
using System.Text.Json;
using static Postern.Sandbox.Tests.Platform.PlatformServer;

namespace Postern.Sandbox.Tests.Platform;

/// <summary>Hostile statements of a user who may see flights from California. None shows another row; none harms the process.</summary>
[Collection(nameof(PlatformCollection))]
public sealed class WaysRoundTests(PlatformServer server)
{
    private static readonly string Depth = new('(', 3000);

    public static TheoryData<string> Refused { get; } = new(
        // more than one statement
        "SELECT 1; SELECT * FROM flights", "SELECT 1; DROP TABLE flights", "SELECT 1 /* ; */ ; SELECT 2", "SELECT 1;;SELECT 2",
        // other statements
        "DROP TABLE flights", "INSERT INTO flights VALUES (now(), 1, 1, 'LAX', 'JFK')", "UPDATE flights SET origin = 'LAX'", "DELETE FROM flights",
        "CREATE TABLE x AS SELECT 1", "CREATE TEMP MACRO flights() AS TABLE SELECT 1", "CREATE OR REPLACE VIEW v AS SELECT 1", "ALTER TABLE flights RENAME TO f",
        "COPY flights TO '/tmp/postern-flights.csv'", "COPY flights FROM '/etc/passwd'", "EXPORT DATABASE '/tmp/postern-export'", "IMPORT DATABASE '/tmp/x'",
        "ATTACH '/tmp/postern.db'", "ATTACH ':memory:' AS other", "DETACH memory", "USE memory.main", "SET enable_external_access = true",
        "SET lock_configuration = false", "RESET enable_external_access", "SET VARIABLE x = 1", "PRAGMA enable_profiling", "PRAGMA database_list",
        "CALL enable_logging()", "CALL pragma_version()", "INSTALL httpfs", "LOAD httpfs", "CHECKPOINT", "VACUUM", "BEGIN TRANSACTION",
        "PREPARE p AS SELECT 1", "EXECUTE p", "DEALLOCATE p", "EXPLAIN SELECT * FROM flights", "SHOW TABLES", "SHOW ALL TABLES", "DESCRIBE flights",
        "SUMMARIZE flights", "FROM flights", "TABLE flights", "VALUES (1)", "PIVOT flights ON origin USING count(*)", "COMMENT ON TABLE flights IS 'x'",
        "/* SELECT */ DROP TABLE flights", "-- SELECT\nDROP TABLE flights", "WITH x AS (DELETE FROM flights RETURNING *) SELECT * FROM x",
        // the engine's own tables and functions
        "SELECT * FROM enable_logging()", "SELECT * FROM enable_logging(storage := 'file', storage_path := '/tmp/postern-log')", "SELECT * FROM `enable_logging`()",
        "SELECT * FROM main.enable_logging()", "SELECT * FROM system.main.enable_logging()", "SELECT * FROM duckdb_logs", "SELECT * FROM duckdb_logs()",
        "SELECT * FROM duckdb_tables()", "SELECT * FROM DUCKDB_TABLES", "SELECT * FROM duckdb_settings()", "SELECT * FROM duckdb_secrets()",
        "SELECT * FROM duckdb_connections()", "SELECT * FROM duckdb_views", "SELECT * FROM information_schema.tables", "SELECT * FROM system.information_schema.columns",
        "SELECT * FROM pg_catalog.pg_class", "SELECT * FROM pg_tables", "SELECT * FROM sqlite_master", "SELECT * FROM pragma_table_info('flights')",
        "SELECT * FROM pragma_storage_info('flights')", "SELECT * FROM checkpoint()", "SELECT * FROM force_checkpoint()",
        // files and settings
        "SELECT * FROM read_parquet('flights-3m.parquet')", "SELECT * FROM read_csv('/etc/passwd')", "SELECT * FROM read_csv_auto('/etc/passwd')",
        "SELECT * FROM read_text('/etc/passwd')", "SELECT * FROM read_blob('/proc/self/environ')", "SELECT * FROM read_json('/x')", "SELECT * FROM parquet_scan('/x')",
        "SELECT * FROM glob('/*')", "SELECT * FROM parquet_metadata('/x')", "SELECT * FROM sniff_csv('/etc/passwd')", "SELECT * FROM '/etc/passwd'",
        "SELECT * FROM 'flights-3m.parquet'", "SELECT * FROM \"flights-3m.parquet\"", "SELECT * FROM `flights-3m.parquet`", "SELECT * FROM `https://example.com/x.csv`",
        "SELECT getenv('HOME')", "SELECT getvariable('x')", "SELECT current_setting('temp_directory')", "SELECT current_database()", "SELECT write_log('x')",
        "SELECT * FROM which_secret('x', 's3')", "SELECT pg_typeof(1)", "SELECT nextval('s')", "SELECT txid_current()", "SELECT version()",
        // SQL in text
        "SELECT * FROM query('SELECT * FROM flights')", "SELECT * FROM query_table('flights')", "SELECT * FROM query_table(['flights'])",
        "SELECT * FROM json_execute_serialized_sql('{}')", "SELECT json_execute_serialized_sql('{}')", "SELECT json_serialize_sql('SELECT 1')",
        "SELECT * FROM sql_auto_complete('SEL')", "SELECT * FROM test_all_types()", "SELECT * FROM repeat_row(1, num_rows := 10)",
        // hidden in places
        "SELECT (SELECT count(*) FROM duckdb_logs)", "SELECT 1 WHERE EXISTS (SELECT 1 FROM duckdb_tables())", "SELECT 1 FROM airports a JOIN duckdb_settings() s ON true",
        "SELECT * FROM flights UNION ALL SELECT * FROM memory.demo.flights", "SELECT 1 UNION SELECT count(*) FROM duckdb_tables()",
        "SELECT origin FROM flights EXCEPT SELECT table_name FROM duckdb_tables", "SELECT 1 ORDER BY (SELECT getenv('HOME'))", "SELECT 1 LIMIT (SELECT count(*) FROM duckdb_tables())",
        "SELECT count(*) FILTER (WHERE getenv('HOME') <> '') FROM flights", "SELECT CASE WHEN true THEN getenv('HOME') END", "SELECT max(delay) OVER (ORDER BY getenv('HOME')) FROM flights",
        "SELECT * FROM flights, LATERAL (SELECT * FROM duckdb_tables()) t", "WITH x AS (SELECT * FROM duckdb_logs) SELECT * FROM x",
        "WITH duckdb_logs AS (SELECT * FROM duckdb_logs) SELECT * FROM duckdb_logs", "WITH RECURSIVE duckdb_logs AS (SELECT * FROM duckdb_logs) SELECT * FROM duckdb_logs",
        "WITH a AS (SELECT * FROM b), b AS (SELECT 1) SELECT * FROM a", "SELECT * FROM (WITH duckdb_logs AS (SELECT 1) SELECT * FROM duckdb_logs), duckdb_logs",
        "WITH flights AS (SELECT 1) SELECT * FROM memory.main.flights", "SELECT * FROM (SHOW TABLES)", "SELECT * FROM (DESCRIBE flights)", "SELECT * FROM (SUMMARIZE flights)",
        "SELECT * FROM (PIVOT flights ON origin IN ('JFK') USING count(*))", "SELECT * FROM flights TABLESAMPLE SYSTEM (10)", "SELECT * FROM flights AT (VERSION => 1)",
        "SELECT getenv /* hidden */ ('HOME')", "SELECT GETENV('HOME')", "SELECT `getenv`('HOME')", "SELECT list_transform(list_value(1), x -> getenv('HOME'))",
        // characters
        "SELECT $$a$$", "SELECT $1", "SELECT ?", "SELECT #1 FROM flights", "SELECT {'a': 1}", "SELECT [1]", "SELECT * FROM ﬂights", "SELECT * FROM duc\u212Adb_tables()",
        "SELECT 1\0; DROP TABLE flights", "SELECT /* unclosed", "SELECT 'unclosed", "SELECT `unclosed", "SELECT * FROM `flights\0`", "SELECT\u00A0*\u00A0FROM\u00A0duckdb_logs",
        "SELECT e'\\x27'", "SELECT U&'\\0027'", "",
        ";", "   ", "--", "SELECT", "(((", "()", ")", ".", ":x", "SELECT main.demo.", "SELECT datediff(DAY");

    public static TheoryData<string> Exhausting { get; } = new(
        "SELECT " + Depth + "1", "SELECT " + Depth + "1" + Depth.Replace('(', ')'), "SELECT " + string.Concat(Enumerable.Repeat("1+", 20000)) + "1",
        "SELECT " + string.Concat(Enumerable.Repeat("NOT ", 20000)) + "true", "SELECT " + string.Concat(Enumerable.Repeat("(SELECT ", 500)) + "1" + new string(')', 500),
        "SELECT " + string.Concat(Enumerable.Repeat("CASE WHEN true THEN ", 900)) + "1" + string.Concat(Enumerable.Repeat(" END", 900)),
        "SELECT * FROM range(1000000000000)", "SELECT * FROM generate_series(0, 9223372036854775807, 1)", "SELECT explode(sequence(1, 100000000000))",
        "SELECT repeat('x', 3000000000)", "SELECT lpad('x', 2000000000, 'y')", "SELECT repeat('x', CAST(3e9 AS BIGINT))", "SELECT space(2000000000)",
        "SELECT replace('aaaa', 'a', origin) FROM flights",
        "WITH t0 AS (SELECT origin AS s FROM flights LIMIT 2000)" + string.Concat(Enumerable.Range(1, 26).Select(i => $", t{i} AS (SELECT s || s AS s FROM t{i - 1})")) + " SELECT sum(length(s)) FROM t26",
        "SELECT length(string_agg(a.origin || a.destination || b.origin || b.destination, ',')) FROM flights a, flights b");

    [Theory]
    [MemberData(nameof(Refused))]
    public async Task Statement_ThatWantsMoreThanAQuery_IsRefusedAndTheEngineAnswersOn(string sql)
    {
        using var response = await server.PostAsync("ana", new() { ["statement"] = sql });
        if ((int)response.StatusCode != 400) // an empty statement is refused as a field
        {
            Assert.Equal(200, (int)response.StatusCode);
            var reply = await response.Content.ReadFromJsonAsync<JsonElement>();
            Assert.True(State(reply) == "FAILED", reply.GetRawText());
            Assert.False(reply.TryGetProperty("result", out _));
        }

        await TheEngineStillShowsExactlyCalifornia();
    }

    [Theory]
    [MemberData(nameof(Exhausting))]
    public async Task Statement_ThatEatsTheMachine_FailsAloneAndTheEngineAnswersOn(string sql)
    {
        using var response = await server.PostAsync("ana", new() { ["statement"] = sql, ["wait_timeout"] = "50s", ["row_limit"] = 10 });
        Assert.Equal(200, (int)response.StatusCode);
        var reply = await response.Content.ReadFromJsonAsync<JsonElement>();
        Assert.True(State(reply) is "FAILED" or "SUCCEEDED", reply.GetProperty("status").GetRawText());
        await TheEngineStillShowsExactlyCalifornia();
    }

    [Theory]
    [InlineData("SELECT DISTINCT a.state FROM flights f JOIN airports a ON a.iata = f.origin")]
    [InlineData("SELECT DISTINCT a.state FROM (SELECT * FROM flights UNION ALL SELECT * FROM main.demo.flights UNION ALL SELECT * FROM demo.flights) f JOIN airports a ON a.iata = f.origin")]
    [InlineData("SELECT DISTINCT a.state FROM flights f JOIN airports a ON a.iata = f.origin WHERE 1 = 1 OR a.state <> 'CA' -- AND a.state = 'CA'")]
    [InlineData("SELECT DISTINCT a.state FROM flights f FULL JOIN airports a ON a.iata = f.origin WHERE f.origin IS NOT NULL")]
    [InlineData("WITH f AS (SELECT origin FROM flights), flights AS (SELECT * FROM f) SELECT DISTINCT a.state FROM flights JOIN airports a ON a.iata = flights.origin")]
    [InlineData("SELECT DISTINCT (SELECT state FROM airports WHERE iata = origin) FROM flights")]
    [InlineData("SELECT a.state FROM flights f, airports a WHERE f.origin = a.iata GROUP BY ALL")]
    [InlineData("SELECT max(a.state) OVER () FROM flights f JOIN airports a ON a.iata = f.origin LIMIT 1")]
    [InlineData("SELECT DISTINCT a.state FROM flights f, LATERAL (SELECT state FROM airports WHERE iata = f.origin) a")]
    public async Task Query_HoweverItIsWritten_ShowsOnlyCalifornia(string sql) =>
        Assert.Equal("CA", Assert.Single(Assert.Single(await server.RowsAsync("ana", sql))));

    [Fact]
    public async Task Parameter_ThatLooksLikeSql_IsAValue()
    {
        var rows = await server.RowsAsync("ana", "SELECT count(*) FROM flights WHERE origin = :origin", Parameter("origin", "' OR 1=1 --"));
        Assert.Equal("0", rows[0][0]);
    }

    [Theory]
    [InlineData(@"SELECT 'a\'; DROP TABLE flights; --'", "a'; DROP TABLE flights; --")]
    [InlineData("SELECT 'it''s'", "it's")]
    [InlineData("SELECT \"flights\"", "flights")]
    [InlineData(@"SELECT r'\x'", @"\x")]
    [InlineData("SELECT 'a' -- 'b'\n", "a")]
    [InlineData("SELECT /* /* nested */ 'b' */ 'a'", "a")]
    [InlineData("SELECT 'a' AS `x\"y`", "a")]
    public async Task Text_ThatLooksLikeTheEndOfTheText_StaysText(string sql, string value) =>
        Assert.Equal(value, (await server.RowsAsync("ana", sql))[0][0]);

    private async Task TheEngineStillShowsExactlyCalifornia() =>
        Assert.Equal("370248", (await server.RowsAsync("ana", "SELECT count(*) FROM flights"))[0][0]);
}
