using System.Data.Common;
using System.Globalization;
using System.Text;
using Dapper;
using Microsoft.Extensions.DependencyInjection;
using Postern.Store;

namespace Postern.TestDatabases;

/// <summary>A kind of database that the suites run over; <c>SuiteOnKind</c> names a suite on a kind.</summary>
public interface ITestDatabase
{
    /// <summary>A new empty database, removed when disposed. Skips the test where the server is not installed.</summary>
    static abstract Task<TestDatabase> CreateAsync();

    /// <summary>As <see cref="CreateAsync"/>, migrated.</summary>
    static abstract Task<TestDatabase> CreateMigratedAsync();
}

/// <summary>One database, and what a test does to it beside the store.</summary>
public abstract class TestDatabase : IAsyncDisposable
{
    /// <summary>How a store reaches it.</summary>
    public abstract StoreOptions Options { get; }

    /// <summary>A connection beside the store's, as somebody with access to the database has it.</summary>
    public abstract DbConnection Connect();

    /// <summary>Makes a statement fail, until <see cref="HealAsync"/>.</summary>
    /// <param name="moment">Such as <c>BEFORE INSERT</c>.</param>
    /// <param name="table">On which table.</param>
    /// <param name="condition">For which rows.</param>
    public abstract Task BreakAsync(string moment, string table, string condition);

    /// <summary>Undoes <see cref="BreakAsync"/>.</summary>
    public abstract Task HealAsync(string table);

    /// <summary>Runs SQL that all databases read alike.</summary>
    public async Task<int> SqlAsync(string sql, object? parameters = null)
    {
        await using var connection = Connect();
        return await connection.ExecuteAsync(sql, parameters);
    }

    /// <summary>The first column of every row.</summary>
    public async Task<IReadOnlyList<T>> ListAsync<T>(string sql, object? parameters = null)
    {
        await using var connection = Connect();
        return (await connection.QueryAsync<T>(sql, parameters)).AsList();
    }

    /// <summary>The folder where it keeps its files, its log of writes and what it sorts on disk; other databases of the same server lie there too.</summary>
    public abstract string Folder { get; }

    /// <summary>Everything it holds, for who searches it for what must not be there: its files, or its tables.</summary>
    public virtual async Task<IReadOnlyList<(string Place, byte[] Content)>> ContentAsync()
    {
        var tables = await ListAsync<string>($"SELECT table_name FROM information_schema.tables WHERE table_schema = {Schema}");
        using var quoting = CommandBuilder();
        await using var connection = Connect();
        var content = new List<(string, byte[])>();
        foreach (var table in tables)
        {
            using var cells = new MemoryStream();
            foreach (IDictionary<string, object?> row in await connection.QueryAsync($"SELECT * FROM {quoting.QuoteIdentifier(table)}"))
            {
                foreach (var cell in row.Values)
                {
                    cells.Write(cell as byte[] ?? Encoding.UTF8.GetBytes(Convert.ToString(cell, CultureInfo.InvariantCulture) ?? ""));
                    cells.WriteByte((byte)'\n');
                }
            }
            content.Add((table, cells.ToArray()));
        }
        return content;
    }

    /// <inheritdoc/>
    public abstract ValueTask DisposeAsync();

    /// <summary>How its tables' schema is called, in SQL.</summary>
    protected virtual string Schema => "current_schema()";

    /// <summary>What writes a table's name as it is.</summary>
    protected virtual DbCommandBuilder CommandBuilder() => throw new NotSupportedException("Its content is read from its files.");

    /// <summary>How many of its transactions wait for a lock of another one; null where it has one writer at a time.</summary>
    protected virtual string? Waiting => null;

    /// <summary>Waits until another transaction waits for a lock, or until the given work, which should, has ended without.</summary>
    public async Task WaitingOrDoneAsync(Task work)
    {
        while (!work.IsCompleted && (await ListAsync<long>(Waiting!))[0] == 0)
            // MariaDB shows the same picture again to whoever asks sooner.
            await Task.Delay(120, TestContext.Current.CancellationToken);
    }

    /// <summary>Migrates it as a node does.</summary>
    protected async Task<TestDatabase> MigratedAsync()
    {
        await using var node = new ServiceCollection().AddSingleton(TimeProvider.System).AddPosternStore(Options).BuildServiceProvider();
        await node.GetRequiredService<PosternStore>().MigrateAsync(TestContext.Current.CancellationToken);
        return this;
    }
}
