namespace Postern.Store;

/// <summary>Finds connects under way, by the secrets that the browser brings.</summary>
public sealed class ConnectReads
{
    private readonly Database database;

    internal ConnectReads(Database database) => this.database = database;

    /// <summary>By the popup's handle, whatever its stage; null if unknown.</summary>
    public Task<PendingConnectRow?> FindByHandleAsync(SecretHash handle, CancellationToken cancellation) => database.FindAsync(
        "SELECT * FROM pending_connects WHERE handle_hash = @handle", new { handle = handle.Hex }, PendingConnectRow.Read, cancellation);

    /// <summary>By <c>state</c>, whatever its stage; null if unknown.</summary>
    public Task<PendingConnectRow?> FindByStateAsync(SecretHash state, CancellationToken cancellation) => database.FindAsync(
        "SELECT * FROM pending_connects WHERE state_hash = @state", new { state = state.Hex }, PendingConnectRow.Read, cancellation);
}
