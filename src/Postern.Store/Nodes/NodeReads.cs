namespace Postern.Store;

/// <summary>A node as stored.</summary>
/// <param name="Name">Its name.</param>
/// <param name="Boot">Which start of it.</param>
/// <param name="HeartbeatAt">When it last said that it lives.</param>
public sealed record NodeRow(string Name, Guid Boot, DateTimeOffset HeartbeatAt)
{
    internal static NodeRow Read(Columns row) => new(row.Text("name"), row.Id("boot_id"), row.Time("heartbeat_at"));
}

/// <summary>Finds nodes.</summary>
public sealed class NodeReads
{
    private readonly Database database;

    internal NodeReads(Database database) => this.database = database;

    /// <summary>All nodes that did not stop in good order, by name.</summary>
    public Task<IReadOnlyList<NodeRow>> ListAsync(CancellationToken cancellation) =>
        database.ListAsync("SELECT * FROM nodes ORDER BY name", null, NodeRow.Read, cancellation);
}
