using DuckDB.NET.Data;

namespace Postern.Sandbox.Platform.Data;

/// <summary>
/// One viewer's database, in memory: loaded already filtered and masked, then locked. What the viewer may not see was never put
/// in, so row security does not hang on how their SQL is written.
/// </summary>
internal sealed class Engine : IDisposable
{
    private readonly DuckDBConnection root;

    private Engine(DuckDBConnection root) => this.root = root;

    /// <summary>Loads the viewer's rows (about 0.3 s for all three million) and locks the engine.</summary>
    public static Engine Load(Viewer viewer, DataFiles files, PlatformOptions options)
    {
        var root = new DuckDBConnection(
            $"Data Source=:memory:;threads={options.EngineThreads};memory_limit={options.EngineMemory};"
            + "autoinstall_known_extensions=false;autoload_known_extensions=false;temp_directory=");
        try
        {
            root.Open();
            Run(root, $"CREATE SCHEMA {Catalog.Schema}");
            foreach (var table in Catalog.Tables.Where(table => table.Granted(viewer)))
                Run(root, LoadStatement(table, viewer, files[table.File]));
            foreach (var macro in EngineMacros.For(viewer))
                Run(root, macro);
            Run(root, "SET GLOBAL TimeZone='UTC'");
            Run(root, "SET enable_external_access=false");
            Run(root, "SET lock_configuration=true");
            return new Engine(root);
        }
        catch
        {
            root.Dispose();
            throw;
        }
    }

    /// <summary>A connection for one statement, with the demo schema first on its path.</summary>
    public DuckDBConnection Connect()
    {
        var connection = root.Duplicate();
        connection.Open();
        Run(connection, $"USE {Catalog.Schema}");
        return connection;
    }

    /// <inheritdoc/>
    public void Dispose() => root.Dispose();

    private static string LoadStatement(Table table, Viewer viewer, string file)
    {
        var columns = table.Columns.Select(column =>
            $"CAST({(column.Mask is { } mask && !viewer.Admin ? mask : column.Name)} AS {column.Type}) AS {column.Name}");
        var reader = Path.GetExtension(file) == ".parquet" ? "read_parquet" : "read_csv";
        var filter = table.RowFilter(viewer) is { } condition ? $" WHERE {condition}" : "";
        return $"CREATE TABLE {Catalog.Schema}.{table.Name} AS SELECT {string.Join(", ", columns)} "
            + $"FROM {reader}({Catalog.Literal(file)}){filter}";
    }

    private static void Run(DuckDBConnection connection, string sql)
    {
        using var command = connection.CreateCommand();
        command.CommandText = sql;
        command.ExecuteNonQuery();
    }
}
