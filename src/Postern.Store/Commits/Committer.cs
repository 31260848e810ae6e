using System.Data.Common;
using Dapper;
using Postern.Audit;
using Postern.Model;

namespace Postern.Store;

/// <summary>Writes the changes and events of one commit inside a transaction.</summary>
internal sealed class Committer(Database database, StoreOptions options, IChance chance)
{
    private const string TakePlaces = "UPDATE counters SET counted = counted + @count WHERE name = 'feed'";

    private const string InsertChanges = "INSERT INTO changes (id, at, kind, tenant, entity_key) ";

    // So many parameters and parts of a statement every database takes.
    private const int ChangesAtOnce = 100;

    private const string InsertLeaf =
        """
        INSERT INTO event_leaves (tenant, at, kind, subject_id, grant_id, bytes, leaf_hash, sequenced)
        VALUES (@tenant, @at, @kind, @subject, @grant, @bytes, @hash, 0)
        """;

    /// <summary>Runs every change, then inserts every event; at the first change that does not fit, nothing of it stands.</summary>
    public async Task<Written<CommitResult>> WriteAsync(WriteScope scope, IReadOnlyList<Change> changes, IReadOnlyList<AuditEvent> events)
    {
        var notices = new List<FeedNotice>();
        foreach (var change in changes)
        {
            if (!await ApplyAsync(scope, change, notices))
                return new(CommitResult.RefusedBy(change.Name), Keep: false);
        }
        foreach (var e in events)
            await RecordAsync(scope, e);
        if (notices.Count > 0)
            await AnnounceAsync(scope, notices);
        return new(CommitResult.Ok, Keep: true);
    }

    /// <summary>Runs every change that fits and passes over the others; answers how many did. They write no two rows of one another.</summary>
    public async Task<Written<int>> WriteFittingAsync(WriteScope scope, IReadOnlyList<Upkeep> changes)
    {
        var notices = new List<FeedNotice>();
        var fitting = 0;
        foreach (var change in changes)
            fitting += await ApplyAsync(scope, change, notices) ? 1 : 0;
        if (notices.Count > 0)
            await AnnounceAsync(scope, notices);
        return new(fitting, Keep: true);
    }

    private async Task<bool> ApplyAsync(WriteScope scope, Change change, List<FeedNotice> notices)
    {
        try
        {
            if (change.Lock is { } rows && database.Dialect.HasRowLocks)
                await scope.Connection.QueryAsync<string>(database.Bind(rows, change.Parameters, scope.Transaction, default));
            // Before the change, because a notice that selects its keys looks for the rows that the change is about to touch.
            var keys = change.Notice is { } notice ? await KeysAsync(scope, change, notice) : null;
            var touched = await ExecuteAsync(scope, change.Sql, change.Parameters);
            if (change.Expected == RowCount.One && touched != 1)
                return false;
            if (keys is not null)
            {
                // The rows found are locked, so more can only mean one that came in between, which the feed would not name.
                if (touched > keys.Count)
                    throw new OvertakenException();
                notices.AddRange(keys);
            }
            return true;
        }
        catch (DbException e) when (database.Dialect.IsDuplicate(e))
        {
            // Somebody else holds the place this change wanted, which is an answer and not a fault.
            return false;
        }
    }

    private async Task<IReadOnlyList<FeedNotice>> KeysAsync(WriteScope scope, Change change, FeedNotice notice)
    {
        if (notice.Select is not { } select)
            return [notice];
        var keys = await scope.Connection.QueryAsync<string>(database.Bind(select, change.Parameters, scope.Transaction, default));
        return [.. keys.Select(key => notice with { Key = key })];
    }

    // Last of all: from the first statement here until its end, this transaction holds the one row that gives places in the feed. So
    // places are given in the order of commits and without gaps, a reader that saw one has seen all before it, and nobody waits for
    // longer than a commit takes. Nothing is locked after it, so it takes part in no deadlock.
    private async Task AnnounceAsync(WriteScope scope, List<FeedNotice> notices)
    {
        await ExecuteAsync(scope, TakePlaces, new { count = notices.Count });
        foreach (var some in notices.Index().Chunk(ChangesAtOnce))
        {
            var parameters = new DynamicParameters();
            var rows = new List<string>(some.Length);
            foreach (var (i, (kind, tenant, key, _)) in some)
            {
                rows.Add($"SELECT counted - @remaining{i}, {{now}}, @kind{i}, @tenant{i}, @key{i} FROM counters WHERE name = 'feed'");
                parameters.Add($"remaining{i}", notices.Count - 1 - i);
                parameters.Add($"kind{i}", (int)kind);
                parameters.Add($"tenant{i}", tenant.Value);
                parameters.Add($"key{i}", key);
            }
            await ExecuteAsync(scope, InsertChanges + string.Join(" UNION ALL ", rows), parameters);
        }
        if (database.Dialect.Announcement is { } announcement)
            await ExecuteAsync(scope, announcement, new { });
    }

    private async Task RecordAsync(WriteScope scope, AuditEvent e)
    {
        var leaf = AuditLeaf.Of(new RecordedEvent(e, scope.Now, chance.NewId(), options.Node), chance);
        await ExecuteAsync(scope, InsertLeaf, new
        {
            tenant = e.Tenant.Value,
            at = scope.Now.ToMs(),
            kind = (int)e.Kind,
            subject = e.Subject?.Id,
            grant = e.Grant?.ToString(),
            bytes = leaf.Bytes,
            hash = Convert.ToHexStringLower(leaf.Hash),
        });
    }

    // Not cancellable: half a batch of other people's commits may stand in the same transaction.
    private Task<int> ExecuteAsync(WriteScope scope, string sql, object parameters) =>
        scope.Connection.ExecuteAsync(database.Bind(sql, parameters, scope.Transaction, CancellationToken.None));
}
