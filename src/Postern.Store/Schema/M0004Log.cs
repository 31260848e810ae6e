using FluentMigrator;

namespace Postern.Store.Schema;

/// <summary>The feed of changes, the leaves of the audit log, their order, and the lease of whoever orders them.</summary>
[Migration(4, "feed and audit log")]
public sealed class M0004Log : ForwardOnlyMigration
{
    /// <inheritdoc/>
    public override void Up()
    {
        Create.Table("changes")
            .WithColumn("id").AsInt64().PrimaryKey()
            .Number("at")
            .Number("kind")
            .Slug("tenant")
            .Name("entity_key");
        Create.Index("ix_changes_at").OnTable("changes").OnColumn("at");

        // The columns beside the bytes are for finding; the bytes are the truth.
        Create.Table("event_leaves")
            .WithColumn("id").AsInt64().PrimaryKey().Identity()
            .Slug("tenant")
            .Number("at")
            .Number("kind")
            .NameOrNull("subject_id")
            .IdOrNull("grant_id")
            .Blob("bytes")
            .Hash("leaf_hash")
            .Number("sequenced");
        Create.Index("ix_event_leaves_sequenced").OnTable("event_leaves").OnColumn("sequenced").Ascending().OnColumn("id").Ascending();
        Create.Index("ix_event_leaves_at").OnTable("event_leaves").OnColumn("tenant").Ascending().OnColumn("at").Ascending();

        Create.Table("audit_log")
            .Slug("tenant").PrimaryKey()
            .Number("position").PrimaryKey()
            .Number("leaf_id").Unique("ux_audit_log_leaf")
            .Hash("entry_hash");

        Create.Table("audit_heads")
            .WithColumn("tenant").AsString(ColumnTypes.SlugLength).PrimaryKey()
            .Number("size")
            .Hash("entry_hash");

        Create.Table("leases")
            .WithColumn("name").AsString(ColumnTypes.SlugLength).PrimaryKey()
            .NameOrNull("holder")
            .Number("fence")
            .Number("expires_at");
        Execute.Sql("INSERT INTO leases (name, fence, expires_at) SELECT 'sequencer', 0, 0 FROM (SELECT COUNT(*) AS n FROM leases) AS made WHERE made.n = 0");
    }
}
