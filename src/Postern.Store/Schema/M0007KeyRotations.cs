using FluentMigrator;

namespace Postern.Store.Schema;

/// <summary>Which versions of tenants' keys were made by a rotation that is not over; NULL for all others, and for versions of Postern that do not say.</summary>
[Migration(7, "key rotations")]
public sealed class M0007KeyRotations : ForwardOnlyMigration
{
    /// <inheritdoc/>
    public override void Up() => Alter.Table("tenant_keys").AddColumn("rotating").AsInt64().Nullable();
}
