using System.Data.Common;
using Dapper;
using Postern.Audit;
using Postern.Model;

namespace Postern.Store;

/// <summary>Writes the changes and events of one commit inside a transaction.</summary>
internal sealed class Committer(Database database, StoreOptions options, IChance chance)
{
    private const string InsertChange = "INSERT INTO changes (at, kind, tenant, entity_key) VALUES ({now}, @noticeKind, @noticeTenant, @noticeKey)";

    private const string InsertLeaf =
        """
        INSERT INTO event_leaves (tenant, at, kind, subject_id, grant_id, bytes, leaf_hash, sequenced)
        VALUES (@tenant, @at, @kind, @subject, @grant, @bytes, @hash, 0)
        """;

    /// <summary>Runs every change, then inserts every event; at the first change that does not fit, nothing of it stands.</summary>
    public async Task<Written<CommitResult>> WriteAsync(WriteScope scope, IReadOnlyList<Change> changes, IReadOnlyList<AuditEvent> events)
    {
        foreach (var change in changes)
        {
            if (!await ApplyAsync(scope, change))
                return new(CommitResult.RefusedBy(change.Name), Keep: false);
        }
        foreach (var e in events)
            await RecordAsync(scope, e);
        return new(CommitResult.Ok, Keep: true);
    }

    private async Task<bool> ApplyAsync(WriteScope scope, Change change)
    {
        try
        {
            if (change.Notice is { } notice)
                await NotifyAsync(scope, change, notice);
            var rows = await ExecuteAsync(scope, change.Sql, change.Parameters);
            return change.Expected == RowCount.Any || rows == 1;
        }
        catch (DbException e) when (database.Dialect.IsDuplicate(e))
        {
            // Somebody else holds the place this change wanted, which is an answer and not a fault.
            return false;
        }
    }

    // Before the change, because a notice that selects its keys looks for the rows that the change is about to touch.
    private async Task NotifyAsync(WriteScope scope, Change change, FeedNotice notice)
    {
        if (notice.Select is not { } select)
        {
            await ExecuteAsync(scope, InsertChange, Parameters(notice, notice.Key));
            return;
        }
        foreach (var key in await scope.Connection.QueryAsync<string>(database.Bind(select, change.Parameters, scope.Transaction, default)))
            await ExecuteAsync(scope, InsertChange, Parameters(notice, key));
    }

    private static object Parameters(FeedNotice notice, string key) =>
        new { noticeKind = (int)notice.Kind, noticeTenant = notice.Tenant.Value, noticeKey = key };

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
