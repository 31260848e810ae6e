using System.Collections.Immutable;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using Postern.Gateway.Tenants;
using Postern.Gateway.Workbooks;
using Postern.Grants;
using Postern.Model;
using Postern.Policy;
using Postern.Warehouse;

namespace Postern.Gateway.Query;

/// <summary>
/// What somebody wants to run: a published query with control values, or free SQL. It knows how to be judged and how to become a
/// statement; <see cref="QueryFlow"/> knows the order.
/// </summary>
internal abstract record QueryAsk
{
    /// <summary>For events: the workbook and query, or <c>free-sql</c>. Never SQL.</summary>
    public abstract string Name { get; }

    public abstract ValueTask<Outcome<PermittedQuery>> JudgeAsync(Viewer viewer, GrantDesk desk, CancellationToken cancellation);

    public abstract Outcome<Prepared> Prepare(PermittedQuery permitted, TimeProvider time);

    /// <summary>A published query of a workbook.</summary>
    public sealed record Published(PublishedWorkbook? Workbook, WorkbookId Id, string Query, JsonElement Controls) : QueryAsk
    {
        public override string Name => $"{Id}/{Query}";

        public override async ValueTask<Outcome<PermittedQuery>> JudgeAsync(Viewer viewer, GrantDesk desk, CancellationToken cancellation)
        {
            var tenant = viewer.Subject.Key.Tenant;
            Connection? connection = null;
            if (Workbook is not null && !(await desk.Definitions.ConnectionAsync(tenant, Workbook.Connection, cancellation)).TryGet(out connection, out var why)
                && why.Kind == RefusalKind.Unavailable)
            {
                return why;
            }
            return QueryPolicy.Judge(viewer, Workbook?.ForPolicy(Query), connection, await PolicyRows.CurrentAsync(desk.Definitions, tenant, cancellation));
        }

        public override Outcome<Prepared> Prepare(PermittedQuery permitted, TimeProvider time)
        {
            if (!Workbook!.Bind(permitted, Controls, time).TryGet(out var bound, out var refused))
                return refused;
            var statement = new Statement(permitted.Connection, bound.Sql)
            {
                Parameters = [.. bound.Parameters.Select(parameter => new StatementParameter(parameter.Name, BoundValues.Of(parameter)))],
                RowLimit = Math.Min(bound.Limit, permitted.Connection.Execution.MaxRows),
                Timeout = bound.Timeout,
                SafeToRepeat = true,
            };
            return new Prepared(statement, Convert.FromHexString(bound.SqlHash), BoundValues.Of(bound.Columns));
        }
    }

    /// <summary>SQL of the person's own, where the connection allows it.</summary>
    public sealed record Free(ConnectionId Connection, string Sql, ImmutableArray<StatementParameter> Parameters, long? RowLimit) : QueryAsk
    {
        public override string Name => "free-sql";

        public override async ValueTask<Outcome<PermittedQuery>> JudgeAsync(Viewer viewer, GrantDesk desk, CancellationToken cancellation)
        {
            var found = await desk.Definitions.ConnectionAsync(viewer.Subject.Key.Tenant, Connection, cancellation);
            return QueryPolicy.JudgeFreeSql(viewer, found.TryGet(out var connection, out _) ? connection : null);
        }

        public override Outcome<Prepared> Prepare(PermittedQuery permitted, TimeProvider time)
        {
            var limit = permitted.Connection.Execution.MaxRows;
            var statement = new Statement(permitted.Connection, Sql) { Parameters = Parameters, RowLimit = Math.Min(RowLimit ?? limit, limit) };
            return new Prepared(statement, SHA256.HashData(Encoding.UTF8.GetBytes(Sql)), null);
        }
    }
}

/// <summary>A statement with the hash that events name it by, and what its result must look like.</summary>
internal sealed record Prepared(Statement Statement, byte[] SqlHash, ImmutableArray<DeclaredColumn>? Contract);
