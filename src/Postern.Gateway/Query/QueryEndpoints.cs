using System.Collections.Immutable;
using System.Text.Json;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;
using Postern.Gateway.Http;
using Postern.Gateway.Pages;
using Postern.Gateway.Sessions;
using Postern.Gateway.Tenants;
using Postern.Gateway.Workbooks;
using Postern.Grants;
using Postern.Model;
using Postern.Warehouse;

namespace Postern.Gateway.Query;

/// <summary>Workbooks for viewers, their queries, free SQL where it is allowed, and cancelling.</summary>
internal static class QueryEndpoints
{
    private const int MaxSqlLength = 100_000;

    public static void Map(IEndpointRouteBuilder app)
    {
        app.MapGet("/workbooks/{workbook}", PageAsync);
        var api = app.MapGroup("/api").AddEndpointFilter<SameOriginFilter>();
        api.MapGet("/workbooks/{workbook}", ViewAsync);
        api.MapPost("/workbooks/{workbook}/queries/{query}", RunPublishedAsync);
        api.MapPost("/connections/{connection}/query", RunFreeAsync);
        api.MapDelete("/queries/{id:guid}", CancelAsync);
    }

    private static async Task<IResult> PageAsync(string workbook, HttpContext context, SessionGate gate, Shell shell)
    {
        if (!WorkbookId.TryParse(workbook, out var id))
            return shell.Failed(context, NoSuchWorkbook);
        return (await gate.RequireAsync(context)).TryGet(out var session, out _) && session.Kind == SessionKind.Portal
            ? shell.Workbook(context, id)
            : Results.LocalRedirect("/sign-in?return_to=" + Uri.EscapeDataString("/workbooks/" + id));
    }

    private static async Task<IResult> ViewAsync(string workbook, HttpContext context, SessionGate gate, PublishedWorkbooks workbooks, TimeProvider time)
    {
        if (!(await gate.RequireAsync(context)).TryGet(out var session, out var nobody))
            return Problems.From(nobody);
        var tenant = TenantGate.Of(context).Id;
        var found = WorkbookId.TryParse(workbook, out var id) && (session.Workbook is null || session.Workbook == id)
            ? (await workbooks.CatalogAsync(tenant, context.RequestAborted)).Find(tenant, id)
            : null;
        if (found is null)
            return Problems.From(NoSuchWorkbook);
        context.Response.Headers.CacheControl = "no-store";
        return Results.Text(WorkbookView.Of(found, time).ToJsonString(), "application/json");
    }

    private static async Task<IResult> RunPublishedAsync(
        string workbook, string query, JsonElement body, HttpContext context, SessionGate gate, PublishedWorkbooks workbooks, QueryFlow flow)
    {
        if (!(await gate.RequireAsync(context)).TryGet(out var session, out var nobody))
            return Problems.From(nobody);
        var tenant = TenantGate.Of(context).Id;
        if (!WorkbookId.TryParse(workbook, out var id) || !Slug.IsValid(query))
            return Problems.From(NoSuchWorkbook);
        var controls = body.ValueKind == JsonValueKind.Object && body.TryGetProperty("controls", out var values) ? values : default;
        var found = (await workbooks.CatalogAsync(tenant, context.RequestAborted)).Find(tenant, id);
        return await flow.RunAsync(context, session, new QueryAsk.Published(found, id, query, controls), WriterOf(context));
    }

    private static async Task<IResult> RunFreeAsync(string connection, JsonElement body, HttpContext context, SessionGate gate, QueryFlow flow)
    {
        if (!(await gate.RequireAsync(context)).TryGet(out var session, out var nobody))
            return Problems.From(nobody);
        return Read(connection, body).TryGet(out var ask, out var invalid)
            ? await flow.RunAsync(context, session, ask, WriterOf(context))
            : Problems.From(invalid);
    }

    private static async Task<IResult> CancelAsync(Guid id, HttpContext context, SessionGate gate, GrantDesk desk)
    {
        if (!(await gate.RequireAsync(context)).TryGet(out var session, out var nobody))
            return Problems.From(nobody);
        return desk.TryCancel(session.Subject, new QueryRunId(id))
            ? Results.Accepted()
            : Problems.From(new Refusal(RefusalKind.NotFound, "No query of yours with this id is running here.") { Code = "query-unknown" });
    }

    private static Outcome<QueryAsk.Free> Read(string connection, JsonElement body)
    {
        if (!ConnectionId.TryParse(connection, out var id))
            return new Refusal(RefusalKind.NotFound, "There is no such connection, or you may not use it.") { Code = "connection-unknown" };
        if (body.ValueKind != JsonValueKind.Object || !body.TryGetProperty("sql", out var sql) || sql.ValueKind != JsonValueKind.String
            || sql.GetString() is not { Length: > 0 and <= MaxSqlLength } text)
        {
            return new Refusal(RefusalKind.InvalidRequest, $"Send {{\"sql\": \"…\", \"parameters\": {{…}}, \"rowLimit\": n}} with at most {MaxSqlLength} characters of SQL.") { Code = "sql" };
        }
        var parameters = ImmutableArray.CreateBuilder<StatementParameter>();
        if (body.TryGetProperty("parameters", out var named) && named.ValueKind == JsonValueKind.Object)
        {
            foreach (var parameter in named.EnumerateObject())
            {
                if (ValueOf(parameter.Value) is not { } value)
                    return new Refusal(RefusalKind.InvalidRequest, $"Parameter '{parameter.Name}' is neither text, number, true, false nor null.") { Code = "parameter" };
                parameters.Add(new(parameter.Name, value));
            }
        }
        long? limit = body.TryGetProperty("rowLimit", out var rows) && rows.TryGetInt64(out var most) && most > 0 ? most : null;
        return new QueryAsk.Free(id, text, parameters.ToImmutable(), limit);
    }

    private static SqlValue? ValueOf(JsonElement value) => value.ValueKind switch
    {
        JsonValueKind.String => value.GetString()!,
        JsonValueKind.Number => value.TryGetInt64(out var whole) ? whole : value.GetDouble(),
        JsonValueKind.True => true,
        JsonValueKind.False => false,
        JsonValueKind.Null => new SqlValue.Missing(SqlType.String),
        _ => null,
    };

    private static RowWriter WriterOf(HttpContext context)
    {
        var accept = context.Request.Headers.Accept.ToString();
        foreach (var writer in RowWriter.All)
        {
            if (accept.Contains(writer.MediaType, StringComparison.OrdinalIgnoreCase))
                return writer;
        }
        return RowWriter.All.OfType<JsonRowWriter>().Single();
    }

    private static Refusal NoSuchWorkbook { get; } = new(RefusalKind.NotFound, "There is no such workbook, or you may not open it.") { Code = "workbook-unknown" };
}
