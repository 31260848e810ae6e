using FluentMigrator;

namespace Postern.Store.Schema;

/// <summary>Counters; so far the places of the feed, which are given under the lock of its row.</summary>
[Migration(6, "counters")]
public sealed class M0006Counters : ForwardOnlyMigration
{
    /// <inheritdoc/>
    public override void Up()
    {
        Create.Table("counters")
            .WithColumn("name").AsString(ColumnTypes.SlugLength).PrimaryKey()
            .Number("counted");
        // Goes on where databases of earlier versions stopped.
        Execute.Sql("INSERT INTO counters (name, counted) SELECT 'feed', (SELECT COALESCE(MAX(id), 0) FROM changes) FROM (SELECT COUNT(*) AS n FROM counters) AS made WHERE made.n = 0");
    }
}
