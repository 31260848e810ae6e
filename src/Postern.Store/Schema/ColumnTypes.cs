using FluentMigrator.Builders.Create.Table;

namespace Postern.Store.Schema;

/// <summary>
/// Column types by meaning, so that each table says what a column is and not how a database spells it. Texts are compared byte for
/// byte; times are Unix milliseconds; ids are UUIDs as 36 characters; hashes are 64 hexadecimal digits.
/// </summary>
internal static class ColumnTypes
{
    public const int SlugLength = 63;
    public const int IdLength = 36;
    public const int HashLength = 64;
    public const int NameLength = 512;

    public static ICreateTableColumnOptionOrWithColumnSyntax Slug(this ICreateTableWithColumnSyntax table, string name) =>
        table.WithColumn(name).AsString(SlugLength).NotNullable();

    public static ICreateTableColumnOptionOrWithColumnSyntax SlugOrNull(this ICreateTableWithColumnSyntax table, string name) =>
        table.WithColumn(name).AsString(SlugLength).Nullable();

    public static ICreateTableColumnOptionOrWithColumnSyntax Id(this ICreateTableWithColumnSyntax table, string name) =>
        table.WithColumn(name).AsString(IdLength).NotNullable();

    public static ICreateTableColumnOptionOrWithColumnSyntax IdOrNull(this ICreateTableWithColumnSyntax table, string name) =>
        table.WithColumn(name).AsString(IdLength).Nullable();

    public static ICreateTableColumnOptionOrWithColumnSyntax Hash(this ICreateTableWithColumnSyntax table, string name) =>
        table.WithColumn(name).AsString(HashLength).NotNullable();

    public static ICreateTableColumnOptionOrWithColumnSyntax HashOrNull(this ICreateTableWithColumnSyntax table, string name) =>
        table.WithColumn(name).AsString(HashLength).Nullable();

    public static ICreateTableColumnOptionOrWithColumnSyntax Name(this ICreateTableWithColumnSyntax table, string name) =>
        table.WithColumn(name).AsString(NameLength).NotNullable();

    public static ICreateTableColumnOptionOrWithColumnSyntax NameOrNull(this ICreateTableWithColumnSyntax table, string name) =>
        table.WithColumn(name).AsString(NameLength).Nullable();

    public static ICreateTableColumnOptionOrWithColumnSyntax Long(this ICreateTableWithColumnSyntax table, string name) =>
        table.WithColumn(name).AsString(int.MaxValue).NotNullable();

    public static ICreateTableColumnOptionOrWithColumnSyntax Number(this ICreateTableWithColumnSyntax table, string name) =>
        table.WithColumn(name).AsInt64().NotNullable();

    public static ICreateTableColumnOptionOrWithColumnSyntax NumberOrNull(this ICreateTableWithColumnSyntax table, string name) =>
        table.WithColumn(name).AsInt64().Nullable();

    public static ICreateTableColumnOptionOrWithColumnSyntax Blob(this ICreateTableWithColumnSyntax table, string name) =>
        table.WithColumn(name).AsBinary(int.MaxValue).NotNullable();

    public static ICreateTableColumnOptionOrWithColumnSyntax BlobOrNull(this ICreateTableWithColumnSyntax table, string name) =>
        table.WithColumn(name).AsBinary(int.MaxValue).Nullable();

    /// <summary>Tenant, authority and id of a person.</summary>
    public static ICreateTableColumnOptionOrWithColumnSyntax Subject(this ICreateTableWithColumnSyntax table) =>
        table.Slug("tenant").Name("subject_authority").Name("subject_id");
}
