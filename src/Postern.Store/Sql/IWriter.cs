using System.Data.Common;

namespace Postern.Store;

/// <summary>Where a piece of work may write: inside one transaction, at one moment of the store's clock.</summary>
/// <param name="Connection">The connection.</param>
/// <param name="Transaction">The transaction.</param>
/// <param name="Now">The store's time as the transaction began; events carry it.</param>
internal sealed record WriteScope(DbConnection Connection, DbTransaction Transaction, DateTimeOffset Now);

/// <summary>
/// Runs work that writes, each piece all or nothing. The answer comes after it is durable. How pieces share transactions is the
/// database's matter: SQLite has one writer that groups them, servers give each its own.
/// </summary>
internal interface IWriter : IAsyncDisposable
{
    /// <summary>
    /// Runs the work in a transaction. It says whether what it wrote stands (<see cref="Written{T}.Keep"/>); an exception undoes it
    /// and reaches the caller. Work may run more than once, each time from its start after nothing of the last time stood.
    /// </summary>
    /// <exception cref="OperationCanceledException">Cancelled before the work began; after that it is no longer listened to.</exception>
    Task<T> RunAsync<T>(Func<WriteScope, Task<Written<T>>> work, CancellationToken cancellation);
}

/// <summary>What a piece of work made, and whether its writes stand.</summary>
internal readonly record struct Written<T>(T Value, bool Keep);
