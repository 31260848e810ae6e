using FluentMigrator;

namespace Postern.Store.Schema;

/// <summary>Finds a tenant's revocations: a rotation of its key pages through those that wait, a shredding counts them until none does.</summary>
[Migration(8, "revocations by tenant")]
public sealed class M0008RevocationTenants : ForwardOnlyMigration
{
    /// <inheritdoc/>
    public override void Up() =>
        Create.Index("ix_provider_revocations_tenant").OnTable("provider_revocations")
            .OnColumn("tenant").Ascending().OnColumn("status").Ascending().OnColumn("id").Ascending();
}
