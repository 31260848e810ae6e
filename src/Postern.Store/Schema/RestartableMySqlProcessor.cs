using FluentMigrator.Expressions;
using FluentMigrator.Runner.Generators.MySql;
using FluentMigrator.Runner.Initialization;
using FluentMigrator.Runner.Processors;
using FluentMigrator.Runner.Processors.MySql;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;

namespace Postern.Store;

/// <summary>
/// MariaDB and MySQL commit each statement that changes the schema by itself, so a migration that was killed leaves its first part. This
/// passes over what is there already, so that it goes on where it stopped. A migration's own SQL must say the same of itself.
/// </summary>
internal sealed class RestartableMySqlProcessor(
    MySqlDbFactory factory, MySql8Generator generator, ILogger<MySql8Processor> logger, IOptionsSnapshot<ProcessorOptions> options,
    IConnectionStringAccessor connection) : MySql8Processor(factory, generator, logger, options, connection)
{
    public override void Process(CreateTableExpression expression)
    {
        if (!TableExists(expression.SchemaName, expression.TableName))
            base.Process(expression);
    }

    public override void Process(CreateIndexExpression expression)
    {
        if (!IndexExists(expression.Index.SchemaName, expression.Index.TableName, expression.Index.Name))
            base.Process(expression);
    }

    public override void Process(CreateColumnExpression expression)
    {
        if (!ColumnExists(expression.SchemaName, expression.TableName, expression.Column.Name))
            base.Process(expression);
    }
}
