using System.Text.Json;
using DuckDB.NET.Data;

namespace Postern.Sandbox.Platform.Sql;

/// <summary>
/// Decides whether a statement may run: one SELECT, over tables of the catalog that were granted, with allowed functions. The
/// engine's own parser reads it, in an instance of its own without data, and the guard walks the whole tree: an object it does
/// not know is refused, so a construct that a newer engine adds stays shut until somebody opens it here.
/// </summary>
/// <remarks>
/// The data needs no guard: an engine holds only rows its viewer may see. The guard is there for the process. One
/// <c>SELECT * FROM enable_logging(…)</c> breaks an engine for everybody and aborts the process when it is closed, even with
/// <c>lock_configuration</c> and without external access.
/// </remarks>
internal sealed class StatementGuard : IDisposable
{
    // The parser stops at 1000 nested expressions; the tree of such a statement would be deeper than any sample needs.
    private static readonly JsonDocumentOptions Depth = new() { MaxDepth = 400 };
    private readonly DuckDBConnection parser = new(
        "Data Source=:memory:;threads=1;memory_limit=128MB;autoinstall_known_extensions=false;autoload_known_extensions=false;temp_directory=");
    private readonly Lock gate = new();

    /// <summary>Starts the parser.</summary>
    public StatementGuard()
    {
        parser.Open();
        foreach (var setting in (string[])["SET enable_external_access=false", "SET lock_configuration=true"])
        {
            using var command = parser.CreateCommand();
            command.CommandText = setting;
            command.ExecuteNonQuery();
        }
    }

    /// <summary>Why the statement may not run for this viewer; null when it may.</summary>
    public SqlFault? Check(string engineSql, Viewer viewer)
    {
        try
        {
            using var tree = JsonDocument.Parse(Parse(engineSql), Depth);
            var root = tree.RootElement;
            if (root.GetProperty("error").GetBoolean())
            {
                var detail = root.GetProperty("error_message").GetString()!;
                return root.GetProperty("error_type").ValueEquals("parser") ? SqlFault.Syntax(detail) : SqlFault.Unsupported(detail);
            }

            var statements = root.GetProperty("statements");
            return statements.GetArrayLength() == 1
                ? new TreeWalk(viewer).Visit(statements[0], Scope.Empty)
                : SqlFault.Syntax("One statement at a time.");
        }
        catch (JsonException)
        {
            return SqlFault.Of("FAILED_TO_PARSE_TOO_COMPLEX", "54001", "The statement is too complex.");
        }
        catch (DuckDBException error)
        {
            return SqlFault.Of(error);
        }
    }

    /// <inheritdoc/>
    public void Dispose() => parser.Dispose();

    private string Parse(string sql)
    {
        lock (gate)
        {
            using var command = parser.CreateCommand();
            command.CommandText = "SELECT json_serialize_sql($sql::VARCHAR)";
            command.Parameters.Add(new DuckDBParameter("sql", sql));
            return (string)command.ExecuteScalar()!;
        }
    }
}

/// <summary>The names of common table expressions that a place in the tree can see.</summary>
internal sealed record Scope(Scope? Outer, string Name)
{
    /// <summary>No names.</summary>
    public static Scope Empty { get; } = new(null, "");

    /// <summary>This scope and one more name.</summary>
    public Scope With(string name) => new(this, Ascii.Fold(name));

    /// <summary>True when the name is one of a common table expression here.</summary>
    public bool Sees(string name)
    {
        for (var scope = this; scope.Outer is not null; scope = scope.Outer)
        {
            if (scope.Name == name)
                return true;
        }

        return false;
    }
}
