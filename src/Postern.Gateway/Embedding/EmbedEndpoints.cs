using System.Buffers.Text;
using System.Collections.Immutable;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;
using Postern.Gateway.Http;
using Postern.Gateway.Pages;
using Postern.Gateway.Portal;
using Postern.Gateway.Sessions;
using Postern.Gateway.Tenants;
using Postern.Grants;
using Postern.Model;
using Postern.Store;

namespace Postern.Gateway.Embedding;

/// <summary><c>POST /api/embed/codes</c>: the host says who looks at which workbook, for the frame with this challenge.</summary>
internal sealed record EmbedCodeRequest(string? Subject, Dictionary<string, JsonElement>? Attributes, string? Workbook, string? Origin, string? Challenge);

/// <summary>A single-use code.</summary>
internal sealed record EmbedCodeBody(string Code, int ExpiresIn);

/// <summary><c>POST /embed/sessions</c>.</summary>
internal sealed record RedeemCode(string? Code, string? Nonce);

/// <summary><c>DELETE /api/embed/sessions</c>.</summary>
internal sealed record EndFrames(string? Subject);

/// <summary>
/// Embedding without third-party cookies: the frame makes a nonce and gives out its hash; the host's back end gets a code bound to
/// that hash; the frame redeems code and nonce. A stolen code is worth nothing without the nonce, which never leaves the frame.
/// </summary>
internal static class EmbedEndpoints
{
    private const int ChallengeLength = 43;
    private const int MaxAttributeValues = 64;
    private const int MaxValueLength = 512;

    public static void Map(IEndpointRouteBuilder app)
    {
        app.MapGet("/embed/{workbook}", Frame);
        app.MapPost("/api/embed/codes", IssueAsync);
        app.MapDelete("/api/embed/sessions", EndAsync);
        app.MapPost("/embed/sessions", RedeemAsync).AddEndpointFilter<SameOriginFilter>();
    }

    private static IResult Frame(string workbook, HttpContext context, Shell shell)
    {
        if (!WorkbookId.TryParse(workbook, out var id))
            return shell.Failed(context, new Refusal(RefusalKind.NotFound, "There is no such workbook."));
        // Only as an iframe's document: opened on its own it could be dressed up as a page of the host's.
        var destination = context.Request.Headers["Sec-Fetch-Dest"].ToString();
        return destination is "" or "iframe"
            ? shell.Frame(context, id)
            : shell.Failed(context, new Refusal(RefusalKind.InvalidRequest, "This address is for embedding. Open the workbook from the page that shows it."));
    }

    private static async Task<IResult> IssueAsync(EmbedCodeRequest body, HttpContext context, EmbedKeyGate keys, GrantDesk desk)
    {
        if (!(await keys.RequireAsync(context)).TryGet(out var key, out var unknown))
            return Problems.From(unknown);
        var refusal = Judge(body, key, TenantGate.Of(context), out var workbook, out var attributes);
        if (refusal is not null)
        {
            await keys.RefusedAsync(key, body.Subject, refusal, context.RequestAborted);
            return Problems.From(refusal);
        }
        var subject = new Subject(new SubjectKey(key.Tenant, key.Authority, body.Subject!), attributes);
        var code = await desk.Sessions.IssueCodeAsync(key, subject, workbook, body.Origin!, body.Challenge!, context.RequestAborted);
        return Results.Json(new EmbedCodeBody(Cookies.Value(code), 60), GatewayJson.Default.EmbedCodeBody);
    }

    private static async Task<IResult> EndAsync([Microsoft.AspNetCore.Mvc.FromBody] EndFrames body, HttpContext context, EmbedKeyGate keys, GrantDesk desk)
    {
        if (!(await keys.RequireAsync(context)).TryGet(out var key, out var unknown))
            return Problems.From(unknown);
        if (string.IsNullOrEmpty(body.Subject))
            return Problems.From(Invalid("Name the subject whose frames end."));
        await desk.Sessions.EndFramesAsync(new SubjectKey(key.Tenant, key.Authority, body.Subject), key.Authority, context.RequestAborted);
        return Results.NoContent();
    }

    private static async Task<IResult> RedeemAsync(RedeemCode body, HttpContext context, GrantDesk desk, SessionView view)
    {
        if (string.IsNullOrEmpty(body.Code) || body.Nonce is not { Length: >= 43 and <= 128 })
            return Problems.From(Invalid("Send the code of your host and the nonce behind its challenge."));
        var challenge = Base64Url.EncodeToString(SHA256.HashData(Encoding.ASCII.GetBytes(body.Nonce)));
        var redeemed = await desk.Sessions.RedeemCodeAsync(TenantGate.Of(context).Id, body.Code, challenge, context.RequestAborted);
        if (!redeemed.TryGet(out var opened, out var refused))
            return Problems.From(refused);
        SessionGate.Set(context, opened);
        return Results.Json(
            await view.OfAsync(context, opened.Session), GatewayJson.Default.SessionBody, statusCode: StatusCodes.Status201Created);
    }

    private static Refusal? Judge(
        EmbedCodeRequest body, EmbedKey key, Tenant tenant, out WorkbookId workbook, out ImmutableSortedDictionary<string, ImmutableArray<string>> attributes)
    {
        workbook = default;
        attributes = ImmutableSortedDictionary.Create<string, ImmutableArray<string>>(StringComparer.Ordinal);
        if (body.Subject is not { Length: >= 1 and <= 255 })
            return Invalid("subject is missing or longer than 255 characters: your own stable id of the person.");
        if (!WorkbookId.TryParse(body.Workbook, out workbook) || !key.Workbooks.Contains(workbook))
            return Forbidden("This embed key may not open that workbook.");
        if (body.Origin is null || !key.Origins.Contains(body.Origin) || !tenant.EmbedOrigins.Contains(body.Origin))
            return Forbidden("This embed key may not speak for that origin. Origins are compared byte for byte, such as https://portal.example.");
        if (body.Challenge is not { Length: ChallengeLength } || !Base64Url.IsValid(body.Challenge))
            return Invalid("challenge is not the base64url SHA-256 that the frame gave out.");

        var read = attributes.ToBuilder();
        foreach (var (name, value) in body.Attributes ?? [])
        {
            if (!key.Attributes.Contains(name))
                return Forbidden($"This embed key may not assert the attribute '{name}'.");
            if (Values(value) is not { } values)
                return Invalid($"attribute '{name}' is neither a text nor a list of at most {MaxAttributeValues} texts of at most {MaxValueLength} characters.");
            read[name] = values;
        }
        attributes = read.ToImmutable();
        return null;
    }

    private static ImmutableArray<string>? Values(JsonElement value)
    {
        JsonElement[] items = value.ValueKind switch
        {
            JsonValueKind.String => [value],
            JsonValueKind.Array => [.. value.EnumerateArray()],
            _ => [],
        };
        if (value.ValueKind is not (JsonValueKind.String or JsonValueKind.Array) || items.Length > MaxAttributeValues
            || items.Any(item => item.ValueKind != JsonValueKind.String || item.GetString()!.Length > MaxValueLength))
        {
            return null;
        }
        return [.. items.Select(item => item.GetString()!)];
    }

    private static Refusal Invalid(string detail) => new(RefusalKind.InvalidRequest, detail) { Code = "embed-request" };

    private static Refusal Forbidden(string detail) => new(RefusalKind.Forbidden, detail) { Code = "embed-key-bounds" };
}
