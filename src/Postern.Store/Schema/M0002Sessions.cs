using FluentMigrator;

namespace Postern.Store.Schema;

/// <summary>Sessions, the sign-ins on their way to one, and embed codes.</summary>
[Migration(2, "sessions, sign-ins and embed codes")]
public sealed class M0002Sessions : ForwardOnlyMigration
{
    /// <inheritdoc/>
    public override void Up()
    {
        Create.Table("sessions")
            .Hash("id_hash").PrimaryKey()
            .Subject()
            .Number("kind")
            .Long("attributes")
            .SlugOrNull("workbook")
            .SlugOrNull("embed_key")
            .NameOrNull("origin")
            .Number("created_at")
            .Number("idle_expires_at")
            .Number("absolute_expires_at")
            .NumberOrNull("ended_at")
            .BlobOrNull("mac");
        Create.Index("ix_sessions_subject").OnTable("sessions")
            .OnColumn("tenant").Ascending().OnColumn("subject_id").Ascending();
        Create.Index("ix_sessions_expires").OnTable("sessions").OnColumn("absolute_expires_at");

        Create.Table("sign_ins")
            .Hash("state_hash").PrimaryKey()
            .Slug("tenant")
            .Hash("binding_hash")
            .Blob("sealed")
            .Long("return_to")
            .Number("expires_at")
            .NumberOrNull("used_at");
        Create.Index("ix_sign_ins_expires").OnTable("sign_ins").OnColumn("expires_at");

        Create.Table("embed_codes")
            .Hash("code_hash").PrimaryKey()
            .Subject()
            .Slug("embed_key")
            .Long("attributes")
            .Slug("workbook")
            .Name("origin")
            .Name("challenge")
            .Number("created_at")
            .Number("expires_at")
            .NumberOrNull("used_at")
            .BlobOrNull("mac");
        Create.Index("ix_embed_codes_expires").OnTable("embed_codes").OnColumn("expires_at");
    }
}
