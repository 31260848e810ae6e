using FluentMigrator;

namespace Postern.Store.Schema;

/// <summary>Query runs, definitions, tenant keys and nodes.</summary>
[Migration(3, "query runs, definitions, keys and nodes")]
public sealed class M0003Queries : ForwardOnlyMigration
{
    /// <inheritdoc/>
    public override void Up()
    {
        Create.Table("query_runs")
            .Id("id").PrimaryKey()
            .Subject()
            .Id("grant_id")
            .Number("generation")
            .Hash("session_hash")
            .Slug("connection")
            .SlugOrNull("workbook")
            .NameOrNull("query_name")
            .Hash("sql_hash")
            .Number("definition_revision")
            .Name("node")
            .Id("node_boot")
            .Number("started_at")
            .NumberOrNull("finished_at")
            .SlugOrNull("outcome")
            .NumberOrNull("row_count")
            .NumberOrNull("byte_count")
            .NameOrNull("statement_id");
        Create.Index("ix_query_runs_grant").OnTable("query_runs").OnColumn("grant_id").Ascending().OnColumn("finished_at").Ascending();
        Create.Index("ix_query_runs_open").OnTable("query_runs").OnColumn("finished_at").Ascending().OnColumn("node").Ascending();
        Create.Index("ix_query_runs_started").OnTable("query_runs").OnColumn("tenant").Ascending().OnColumn("started_at").Ascending();

        // current_name is the (tenant, kind, name) of the revision in force and NULL in superseded ones: one in force each.
        Create.Table("definitions")
            .Slug("tenant").PrimaryKey()
            .Number("kind").PrimaryKey()
            .Slug("name").PrimaryKey()
            .Number("revision").PrimaryKey()
            .NameOrNull("current_name").Unique("ux_definitions_current")
            .Long("body")
            .Blob("mac")
            .Number("created_at")
            .NumberOrNull("superseded_at");

        Create.Table("tenant_keys")
            .Slug("tenant").PrimaryKey()
            .Id("version").PrimaryKey()
            .SlugOrNull("active_tenant").Unique("ux_tenant_keys_active")
            .Name("root_key_id")
            .Blob("wrapped")
            .Number("created_at");

        Create.Table("nodes")
            .WithColumn("name").AsString(ColumnTypes.SlugLength).PrimaryKey()
            .Id("boot_id")
            .Number("heartbeat_at");
    }
}
