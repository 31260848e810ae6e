using System.Data.Common;
using System.Net.Sockets;
using Dapper;
using Postern.Model;

namespace Postern.Store;

/// <summary>Runs statements: binds the clock, maps rows. Reads take a connection of their own; writes go through the writer.</summary>
internal sealed class Database(SqlDialect dialect, StoreOptions options, TimeProvider time) : IStoreClock
{
    private readonly TimeProvider bound = options.BoundClock ?? time;

    public SqlDialect Dialect => dialect;

    /// <summary>A command in the database's own words, with <c>{now}</c> bound to the clock that the options name.</summary>
    public CommandDefinition Bind(string sql, object? parameters, DbTransaction? transaction, CancellationToken cancellation)
    {
        var values = parameters;
        sql = dialect.Translate(sql);
        if (sql.Contains("{now}", StringComparison.Ordinal))
        {
            if (options.Time == StoreTime.Bound)
            {
                var withNow = new DynamicParameters(parameters);
                withNow.Add("now", bound.GetUtcNow().ToUnixTimeMilliseconds());
                values = withNow;
                sql = sql.Replace("{now}", "@now", StringComparison.Ordinal);
            }
            else
            {
                sql = sql.Replace("{now}", dialect.Now, StringComparison.Ordinal);
            }
        }
        return new CommandDefinition(sql, values, transaction, cancellationToken: cancellation);
    }

    public async Task<IReadOnlyList<T>> ListAsync<T>(string sql, object? parameters, Func<Columns, T> read, CancellationToken cancellation)
    {
        try
        {
            await using var connection = await dialect.OpenAsync(cancellation);
            return await ListAsync(connection, null, sql, parameters, read, cancellation);
        }
        catch (Exception e) when (e is IOException or SocketException)
        {
            throw new ConnectionLostException(e);
        }
    }

    public async Task<IReadOnlyList<T>> ListAsync<T>(
        DbConnection connection, DbTransaction? transaction, string sql, object? parameters, Func<Columns, T> read, CancellationToken cancellation)
    {
        await using var reader = await connection.ExecuteReaderAsync(Bind(sql, parameters, transaction, cancellation));
        var rows = new List<T>();
        while (await reader.ReadAsync(cancellation))
            rows.Add(read(new Columns(reader)));
        return rows;
    }

    public async Task<T?> FindAsync<T>(string sql, object? parameters, Func<Columns, T> read, CancellationToken cancellation) where T : class
    {
        var rows = await ListAsync(sql, parameters, read, cancellation);
        return rows.Count == 0 ? null : rows[0];
    }

    /// <inheritdoc/>
    public async ValueTask<DateTimeOffset> NowAsync(CancellationToken cancellation)
    {
        if (options.Time == StoreTime.Bound)
            return DateTimeOffset.FromUnixTimeMilliseconds(bound.GetUtcNow().ToUnixTimeMilliseconds());
        await using var connection = await dialect.OpenAsync(cancellation);
        return await NowAsync(connection, null, cancellation);
    }

    /// <summary>Now, inside a transaction.</summary>
    public async Task<DateTimeOffset> NowAsync(DbConnection connection, DbTransaction? transaction, CancellationToken cancellation) =>
        DateTimeOffset.FromUnixTimeMilliseconds(
            await connection.ExecuteScalarAsync<long>(Bind("SELECT {now}", null, transaction, cancellation)));
}
