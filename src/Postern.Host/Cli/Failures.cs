using System.Data.Common;
using System.Net.Sockets;
using System.Security.Cryptography;
using Microsoft.AspNetCore.Connections;
using Postern.Host.Composition;
using Postern.Host.Configuration;
using Postern.Vault;

namespace Postern.Host.Cli;

/// <summary>
/// The broken worlds that an operator can mend, each as one sentence with its remedy. What is not here is a bug, and keeps its stack.
/// </summary>
internal static class Failures
{
    /// <summary>The sentence for a failure, or null when nobody foresaw it.</summary>
    public static string? Describe(Exception failure, PosternSettings settings) => failure switch
    {
        WorkbookException or KeyringException or VaultException => failure.Message,
        DbException when NoTable(failure) => $"The store {settings.Store.Name} has no schema yet. Run: postern migrate --config FILE",
        DbException when settings.Store.File is null =>
            $"The store ({settings.Store.Name}) cannot be used: {failure.Message} Check that the server runs, that Store:ConnectionString names it, and that its user may sign in and owns the database.",
        DbException => $"The store {settings.Store.File} cannot be used: {failure.Message} Check that its folder exists, is writable by this user, and lies on a local disk.",
        IOException { InnerException: AddressInUseException } => "The address to listen on is taken by another program. Stop that program, or choose another address with --listen.",
        SocketException { SocketErrorCode: SocketError.AccessDenied } => "This user may not listen on that port. Use a port above 1023 with --listen, and a proxy in front.",
        SocketException => $"The address to listen on cannot be used: {failure.Message}. Check --listen.",
        CryptographicException => $"A key could not be used: {failure.Message}",
        InvalidOperationException or IOException or UnauthorizedAccessException => failure.Message,
        AggregateException { InnerExceptions: [var only] } => Describe(only, settings),
        _ => null,
    };

    // SQLITE_ERROR, the code of every statement that does not fit the schema; the servers have a code of their own.
    private static bool NoTable(Exception failure) =>
        failure is DbException { SqlState: "42P01" or "42S02" }
        || failure is Microsoft.Data.Sqlite.SqliteException { SqliteErrorCode: 1 } && failure.Message.Contains("no such table", StringComparison.Ordinal);
}
