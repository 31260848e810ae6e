using System.Data.Common;
using Microsoft.Data.Sqlite;
using Postern.Model;
using Postern.Store;

namespace Postern.Host.Configuration;

/// <summary>Reads <c>Store</c>: a SQLite file, or a server. docs/how-to/choose-a-database.md helps to choose.</summary>
internal static class StoreReader
{
    private static readonly string[] ServerKeys = ["Password", "PasswordFile", "AllowUnprotectedServer", "PoolSize", "ConnectTimeout", "CommandTimeout"];

    public static StoreSettings Read(ConfigNode node)
    {
        var provider = node.Choice<StoreProvider>(
            "Provider", StoreProvider.Sqlite, ("sqlite", StoreProvider.Sqlite), ("postgresql", StoreProvider.PostgreSql), ("mysql", StoreProvider.MySql));
        var server = provider != StoreProvider.Sqlite;
        var connection = node.Required("ConnectionString", server
            ? "Write the server, the database and the user; the password into PasswordFile."
            : "Write Data Source=FILE, a path on a local disk.");
        var usable = connection.Length > 0 && (server || CheckConnection(node, connection));
        var defaults = new StoreOptions { Provider = provider, ConnectionString = usable ? connection : "" };
        var options = Server(node, defaults);
        if (!server)
        {
            foreach (var key in ServerKeys.Where(key => node.Optional(key) is not null))
                node.Report(key, "is for a database server.", "Remove it, or choose the Provider postgresql or mysql.");
        }
        node.Close();
        return new(server ? options : defaults);
    }

    // What only a server has. The password is put into the connection string, which nothing shows.
    private static StoreOptions Server(ConfigNode node, StoreOptions defaults)
    {
        var connection = defaults.ConnectionString;
        if (node.Secret("Password", remedy: null) is { } password && connection.Length > 0)
            connection = WithPassword(node, connection, password);
        var options = defaults with
        {
            ConnectionString = connection,
            AllowUnprotectedServer = node.Flag("AllowUnprotectedServer"),
            PoolSize = (int)node.Number("PoolSize", defaults.PoolSize, 2, 1000),
            ConnectTimeout = node.Duration("ConnectTimeout", defaults.ConnectTimeout, TimeSpan.FromSeconds(1), TimeSpan.FromMinutes(1)),
            CommandTimeout = node.Duration("CommandTimeout", defaults.CommandTimeout, TimeSpan.FromSeconds(1), TimeSpan.FromMinutes(5)),
        };
        if (connection.Length == 0 || defaults.Provider == StoreProvider.Sqlite || options.Problem() is not { } problem)
            return options;
        node.Report("ConnectionString", problem, "Write Host (Server with mysql), Database and user, such as Host=db.example;Database=postern;Username=postern.");
        return options with { ConnectionString = "" };
    }

    private static string WithPassword(ConfigNode node, string connection, SecretText password)
    {
        try
        {
            var parts = new DbConnectionStringBuilder { ConnectionString = connection };
            if (parts.ContainsKey("Password") || parts.ContainsKey("Pwd"))
                node.Report("Password", "is set, and ConnectionString holds one too.", "Keep one of them, PasswordFile for preference.");
#pragma warning disable RS0030 // The driver takes the password as text only; it goes there and nowhere else.
            parts["Password"] = password.Reveal();
#pragma warning restore RS0030
            return parts.ConnectionString;
        }
        catch (ArgumentException)
        {
            // Reported as unreadable with the rest.
            return connection;
        }
    }

    // The text may hold a password, so no problem shows it.
    private static bool CheckConnection(ConfigNode node, string connection)
    {
        SqliteConnectionStringBuilder parts;
        try
        {
            parts = new(connection);
        }
        catch (ArgumentException)
        {
            node.Report("ConnectionString", "is not a SQLite connection string.", "Write Data Source=FILE.");
            return false;
        }
        if (parts.DataSource.Length == 0 || parts.DataSource.Contains(":memory:", StringComparison.Ordinal) || parts.Mode == SqliteOpenMode.Memory)
            node.Report("ConnectionString", "names no file: everything would be lost at the end of the process.", "Write Data Source=FILE.");
        else if (parts.DataSource.StartsWith("file:", StringComparison.OrdinalIgnoreCase))
            node.Report("ConnectionString", "names its file as a URI.", "Write Data Source=FILE with a plain path.");
        else if (parts.Mode == SqliteOpenMode.ReadOnly)
            node.Report("ConnectionString", "opens the file for reading only.", "Remove Mode, or write Mode=ReadWriteCreate.");
        else
            return true;
        return false;
    }
}
