using FluentMigrator;

namespace Postern.Store.Schema;

/// <summary>Grants, and the connects on their way to one.</summary>
[Migration(1, "grants and connects")]
public sealed class M0001Grants : ForwardOnlyMigration
{
    /// <inheritdoc/>
    public override void Up()
    {
        // slot names (tenant, connection, subject); active_slot is the same while the grant is active and NULL otherwise, so that
        // its unique index allows one active grant per slot in every database.
        Create.Table("grants")
            .Id("id").PrimaryKey()
            .Subject()
            .Slug("connection")
            .Hash("slot")
            .HashOrNull("active_slot").Unique("ux_grants_active_slot")
            .HashOrNull("session_hash")
            .Number("state")
            .Number("reason")
            .Number("generation")
            .BlobOrNull("access_sealed")
            .BlobOrNull("refresh_sealed")
            .NumberOrNull("access_expires_at")
            .NumberOrNull("refresh_expires_at")
            .NumberOrNull("absolute_end_at")
            .Long("scopes")
            .Name("principal_issuer")
            .Name("principal_id")
            .Name("principal_name")
            .NameOrNull("principal_email")
            .Blob("connection_digest")
            .Number("definition_revision")
            .HashOrNull("confirmation_hash")
            .NumberOrNull("confirm_before")
            .Number("renewal_state")
            .Number("renewal_fence")
            .NameOrNull("renewal_node")
            .NumberOrNull("renewal_deadline")
            .NumberOrNull("renewal_not_before")
            .Number("renewal_attempts")
            .Number("renewal_takeovers")
            .NumberOrNull("renewal_due_at")
            .Number("created_at")
            .NumberOrNull("confirmed_at")
            .NumberOrNull("last_used_at")
            .NumberOrNull("revoked_at")
            .BlobOrNull("mac");
        Create.Index("ix_grants_slot").OnTable("grants").OnColumn("slot");
        Create.Index("ix_grants_tenant").OnTable("grants").OnColumn("tenant").Ascending().OnColumn("state").Ascending();
        Create.Index("ix_grants_due").OnTable("grants").OnColumn("state").Ascending().OnColumn("renewal_due_at").Ascending();
        Create.Index("ix_grants_deadline").OnTable("grants").OnColumn("renewal_state").Ascending().OnColumn("renewal_deadline").Ascending();

        Create.Table("pending_connects")
            .Id("id").PrimaryKey()
            .Subject()
            .Slug("connection")
            .Long("attributes")
            .Hash("session_hash")
            .Number("kind")
            .NameOrNull("host_origin")
            .NameOrNull("host_display")
            .Hash("handle_hash").Unique("ux_pending_connects_handle")
            .HashOrNull("state_hash").Unique("ux_pending_connects_state")
            .HashOrNull("binding_hash")
            .Blob("sealed")
            .Name("issuer")
            .Name("redirect_uri")
            .Number("stage")
            .Number("created_at")
            .Number("expires_at")
            .BlobOrNull("mac");
        Create.Index("ix_pending_connects_session").OnTable("pending_connects").OnColumn("session_hash");
        Create.Index("ix_pending_connects_expires").OnTable("pending_connects").OnColumn("expires_at");

        Create.Table("provider_revocations")
            .Id("id").PrimaryKey()
            .Subject()
            .Slug("connection")
            .Id("grant_id")
            .Number("generation")
            .BlobOrNull("refresh_sealed")
            .BlobOrNull("access_sealed")
            .Blob("connection_digest")
            .NumberOrNull("access_lives_until")
            .Number("status")
            .Number("attempts")
            .Number("not_before")
            .Number("fence")
            .SlugOrNull("last_error")
            .Number("created_at")
            .NumberOrNull("finished_at");
        Create.Index("ix_provider_revocations_due").OnTable("provider_revocations").OnColumn("status").Ascending().OnColumn("not_before").Ascending();
        Create.Index("ix_provider_revocations_grant").OnTable("provider_revocations").OnColumn("grant_id");
    }
}
