using Apache.Arrow;
using Apache.Arrow.Ipc;
using Microsoft.Extensions.Logging;
using Postern.Model;
using Postern.Warehouse.ArrowIpc;

namespace Postern.Warehouse.Databricks;

/// <summary>
/// Opens chunks: finds the link (known and alive, else asked for), fetches it without the bearer, reads the Arrow schema. Links live 15 minutes
/// or less, so they are fetched late, and a link the storage refuses is replaced by a fresh one.
/// </summary>
internal sealed class ChunkSource(
    Statement statement, StatementCalls calls, Transport transport, TimeProvider time, DatabricksOptions options, ILogger log)
{
    private const int MaxLinksPerChunk = 3;
    private const int MaxMetadataBytes = 16 << 20;
    private static readonly TimeSpan ExpiryMargin = TimeSpan.FromSeconds(5);

    private readonly PooledArrowAllocator allocator = new(options.MaxMessageBytes);
    private readonly Dictionary<int, ChunkLink> known = [];

    /// <summary>Keeps the links that came with an answer.</summary>
    public void Remember(StatementAnswer answer)
    {
        foreach (var link in answer.Links)
            known[link.Index] = link;
    }

    /// <summary>Opens a chunk at its first row.</summary>
    /// <param name="stop">Ends the opening and every later read of the chunk.</param>
    public async Task<Outcome<OpenChunk>> OpenAsync(int index, CancellationToken stop)
    {
        for (var attempt = 0; attempt < MaxLinksPerChunk; attempt++)
        {
            if (!(await LinkAsync(index, attempt, stop)).TryGet(out var link, out var why))
                return why;
            if (!IsAllowed(link.Address))
                return Refusals.Untrusted(statement.Connection, "link-address");
            var response = await transport.OpenLinkAsync(link, stop);
            if (response is { IsSuccessStatusCode: true })
            {
                if (await ReadSchemaAsync(link, response, stop) is { } chunk)
                    return chunk;
            }
            else
            {
                log.ChunkAgain(statement.Connection.Id, statement.Report.StatementId!, index, response is null ? "no answer" : $"status {(int)response.StatusCode}");
                response?.Dispose();
            }
        }
        return Refusals.Unavailable(statement.Connection, "result-link");
    }

    // A link is used once: whoever needs the chunk again (refused, broken off) asks for a fresh one.
    private async Task<Outcome<ChunkLink>> LinkAsync(int index, int attempt, CancellationToken stop)
    {
        if (known.Remove(index, out var link) && attempt == 0 && !(link.Expires - ExpiryMargin <= time.GetUtcNow()))
            return link;
        if (!(await calls.ChunkAsync(statement.Report.StatementId!, index, stop)).TryGet(out var body, out var why))
            return why;
        if (StatementAnswer.Read(body) is not { } answer)
            return Refusals.Untrusted(statement.Connection, "chunk-answer");
        Remember(answer);
        return known.Remove(index, out link) ? link : Refusals.Untrusted(statement.Connection, "chunk-answer");
    }

    // The host is the platform's choice (cloud storage); which addresses it may lead to is the transport's judgement. Plain http only
    // where the platform itself is reached that way: a sandbox.
    private bool IsAllowed(Uri address) =>
        address.UserInfo.Length == 0 && (address.Scheme == Uri.UriSchemeHttps
            || address.Scheme == Uri.UriSchemeHttp && statement.Connection.Endpoint.Scheme == Uri.UriSchemeHttp);

    private async Task<OpenChunk?> ReadSchemaAsync(ChunkLink link, HttpResponseMessage response, CancellationToken stop)
    {
        ArrowStreamReader? reader = null;
        try
        {
            var body = new GuardedArrowStream(await response.Content.ReadAsStreamAsync(stop), MaxMetadataBytes, options.RequestTimeout, time, stop);
            reader = new ArrowStreamReader(body, allocator);
            if (await reader.GetSchema(stop) is { } schema)
                return new OpenChunk(link.Index, link.Rows, schema, reader, response);
        }
        catch (Exception e) when (!stop.IsCancellationRequested)
        {
            log.ChunkAgain(statement.Connection.Id, statement.Report.StatementId!, link.Index, e.GetType().Name);
        }
        reader?.Dispose();
        response.Dispose();
        stop.ThrowIfCancellationRequested();
        return null;
    }
}

/// <summary>A chunk whose rows can be read.</summary>
/// <param name="Rows">The number of rows its link announced, if it did.</param>
internal sealed record OpenChunk(int Index, long? Rows, Schema Schema, ArrowStreamReader Reader, HttpResponseMessage Response) : IDisposable
{
    public void Dispose()
    {
        Reader.Dispose();
        Response.Dispose();
    }
}
