namespace Postern.Store;

/// <summary>Nodes say that they live, so that others can close the query runs of dead ones.</summary>
public static class NodeChanges
{
    /// <summary>
    /// This start of the node lives, now. Run <see cref="Join"/> once first; never refused, but without a row nobody hears it.
    /// </summary>
    public static Upkeep Heartbeat(string name, Guid boot) => new(
        "node-heartbeat",
        "UPDATE nodes SET heartbeat_at = {now} WHERE name = @name AND boot_id = @boot",
        new { name, boot = boot.ToString("D") },
        expected: RowCount.Any);

    /// <summary>A node starts: its earlier start, if any, is over. Both in one commit, with the event.</summary>
    public static IReadOnlyList<Change> Join(string name, Guid boot) =>
    [
        new("node-leave", "DELETE FROM nodes WHERE name = @name", new { name }, expected: RowCount.Any),
        new(
            "node-join",
            "INSERT INTO nodes (name, boot_id, heartbeat_at) VALUES (@name, @boot, {now})",
            new { name, boot = boot.ToString("D") }),
    ];

    /// <summary>A node stops in good order.</summary>
    public static Change Leave(string name, Guid boot) => new(
        "node-leave",
        "DELETE FROM nodes WHERE name = @name AND boot_id = @boot",
        new { name, boot = boot.ToString("D") },
        expected: RowCount.Any);
}
