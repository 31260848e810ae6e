using System.Data;
using FluentMigrator.Runner.Generators.MySql;

namespace Postern.Store;

/// <summary>Texts of the schema on MariaDB and MySQL: every character of Unicode, compared byte for byte. The migrator's own types are three-byte and caseless.</summary>
internal sealed class MySqlTypes : MySql8TypeMap
{
    // Longer ones do not fit into an index or a row.
    private const int LongestName = 512;

    public MySqlTypes(string collation)
    {
        SetTypeMap(DbType.String, $"VARCHAR($size) CHARACTER SET utf8mb4 COLLATE {collation}", LongestName);
        SetTypeMap(DbType.String, $"LONGTEXT CHARACTER SET utf8mb4 COLLATE {collation}", int.MaxValue);
    }
}
