using FluentMigrator;

namespace Postern.Store.Schema;

/// <summary>Who made each definition. All that were there before came from the configuration.</summary>
[Migration(5, "definition makers")]
public sealed class M0005DefinitionMakers : ForwardOnlyMigration
{
    /// <inheritdoc/>
    public override void Up() =>
        Alter.Table("definitions").AddColumn("made_by").AsString(ColumnTypes.NameLength).NotNullable().WithDefaultValue(DefinitionRow.Configuration);
}
