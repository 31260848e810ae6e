using System.Threading.Channels;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;
using Postern.Gateway.Http;
using Postern.Gateway.Sessions;
using Postern.Grants;
using Postern.Grants.Sessions;
using Postern.Model;
using Postern.Store;

namespace Postern.Gateway.Changes;

/// <summary>
/// <c>GET /api/changes</c>: server-sent events for one session, fed by the change feed, so that an open dashboard turns into
/// "reconnect" within a second of a revocation on whichever node it happened.
/// </summary>
internal static class ChangeStream
{
    private static readonly TimeSpan Heartbeat = TimeSpan.FromSeconds(15);

    public static void Map(IEndpointRouteBuilder app) =>
        app.MapGet("/api/changes", StreamAsync).AddEndpointFilter<SameOriginFilter>();

    private static async Task<IResult> StreamAsync(HttpContext context, SessionGate gate, GrantDesk desk, ChangeFeed feed, PosternStore store, TimeProvider time)
    {
        if (!(await gate.RequireAsync(context)).TryGet(out var session, out var nobody))
            return Problems.From(nobody);

        var response = context.Response;
        response.ContentType = "text/event-stream";
        response.Headers.CacheControl = "no-store";
        await response.Body.FlushAsync(context.RequestAborted);

        var heard = new Listener(session);
        using var subscription = feed.Subscribe(heard);
        while (!context.RequestAborted.IsCancellationRequested)
        {
            try
            {
                if (!await heard.WaitAsync(Heartbeat, time, context.RequestAborted))
                {
                    await response.WriteAsync(":\n\n", context.RequestAborted);
                    continue;
                }
            }
            catch (OperationCanceledException)
            {
                break;
            }
            while (heard.TryTake(out var change))
            {
                if (change.Kind == ChangeKind.Session)
                {
                    await WriteAsync(response, "session", """{"state":"ended"}""", context.RequestAborted);
                    return Results.Empty;
                }
                if (Guid.TryParse(change.Key, out var id)
                    && await store.Grants.FindAsync(change.Tenant, new GrantId(id), context.RequestAborted) is { } grant && grant.Subject == session.Subject.Key)
                {
                    var standing = await desk.StandingAsync(grant.Subject, grant.Connection, context.RequestAborted);
                    var state = standing?.Row.State == GrantState.Active ? "connected" : grant.State == GrantState.Revoked ? "revoked" : "reconnect";
                    // Connection names are slugs: nothing to escape.
                    await WriteAsync(response, "grant", $$"""{"connection":"{{grant.Connection}}","state":"{{state}}"}""", context.RequestAborted);
                }
            }
            await response.Body.FlushAsync(context.RequestAborted);
        }
        return Results.Empty;
    }

    private static Task WriteAsync(HttpResponse response, string name, string data, CancellationToken cancellation) =>
        response.WriteAsync($"event: {name}\ndata: {data}\n\n", cancellation);

    /// <summary>What the feed says about this session's tenant, bounded: a page that reads too slowly misses nothing it cannot ask for again.</summary>
    private sealed class Listener(Session session) : IChangeListener
    {
        private readonly Channel<ChangeRow> rows = Channel.CreateBounded<ChangeRow>(new BoundedChannelOptions(256) { FullMode = BoundedChannelFullMode.DropOldest });
        private readonly TenantId tenant = session.Subject.Key.Tenant;

        public void OnChanges(IReadOnlyList<ChangeRow> changes)
        {
            foreach (var change in changes)
            {
                if (change.Tenant == tenant && (change.Kind == ChangeKind.Grant || change.Kind == ChangeKind.Session && change.Key == session.Id.Hex))
                    rows.Writer.TryWrite(change);
            }
        }

        // The page reconnects and reads its session anew.
        public void OnMissed() => rows.Writer.TryComplete();

        public bool TryTake([System.Diagnostics.CodeAnalysis.NotNullWhen(true)] out ChangeRow? row) => rows.Reader.TryRead(out row);

        public async Task<bool> WaitAsync(TimeSpan atMost, TimeProvider time, CancellationToken cancellation)
        {
            using var patience = new CancellationTokenSource(atMost, time);
            using var either = CancellationTokenSource.CreateLinkedTokenSource(patience.Token, cancellation);
            try
            {
                return await rows.Reader.WaitToReadAsync(either.Token) ? true : throw new OperationCanceledException(cancellation);
            }
            catch (OperationCanceledException) when (patience.IsCancellationRequested && !cancellation.IsCancellationRequested)
            {
                return false;
            }
        }
    }
}
