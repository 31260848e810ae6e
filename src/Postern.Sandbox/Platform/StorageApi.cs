using Postern.Sandbox.Platform.Results;
using Postern.Sandbox.Platform.Statements;

namespace Postern.Sandbox.Platform;

/// <summary>
/// The object storage behind presigned links. It knows nothing of tokens: the link is the right, and a request that also carries
/// a credential is refused, as real object stores refuse it, so that a client which leaks its bearer here is found out.
/// </summary>
internal sealed class StorageApi(PresignedLinks links, StatementRegistry statements, IFaultScript faults, TimeProvider time)
{
    /// <summary>Streams the chunk of a link.</summary>
    public async Task FetchAsync(HttpContext context, string token)
    {
        if (await faults.ApplyAsync("chunk", "before", context))
            return;
        if (context.Request.Headers.Authorization.Count > 0)
        {
            await RefuseAsync(context, 400, "InvalidArgument",
                "Only one auth mechanism allowed; a presigned link takes no Authorization header.");
            return;
        }

        if (links.Find(token) is not { } link)
        {
            await RefuseAsync(context, 403, "AccessDenied", "Access Denied");
            return;
        }

        if (link.ExpiresAt <= time.GetUtcNow())
        {
            await RefuseAsync(context, 403, "AccessDenied", "Request has expired");
            return;
        }

        if (statements.Find(link.StatementId)?.Look().Result is not { } result)
        {
            await RefuseAsync(context, 404, "NoSuchKey", "The specified key does not exist.");
            return;
        }

        if (await faults.ApplyAsync("chunk", "after", context))
            return;
        var chunk = result.Spool.Chunks[link.Chunk];
        context.Response.ContentType = "binary/octet-stream";
        context.Response.ContentLength = chunk.ByteCount;
        await result.Spool.CopyAsync(
            chunk, async bytes => await context.Response.BodyWriter.WriteAsync(bytes, context.RequestAborted), context.RequestAborted);
    }

    private static Task RefuseAsync(HttpContext context, int status, string code, string message)
    {
        context.Response.StatusCode = status;
        context.Response.ContentType = "application/xml";
        return context.Response.WriteAsync(
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n" + $"<Error><Code>{code}</Code><Message>{message}</Message></Error>", context.RequestAborted);
    }
}
