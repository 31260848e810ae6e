using System.Security.Cryptography;
using System.Text;
using Microsoft.AspNetCore.Http;
using Postern.Gateway.Tenants;
using Postern.Grants.Definitions;
using Postern.Model;
using Postern.Store;

namespace Postern.Gateway.Embedding;

/// <summary>
/// Authenticates a host application's back end: id and secret of an embed key over HTTP Basic (RFC 7617). A browser never comes this
/// way: a call that says where on the web it comes from is refused.
/// </summary>
internal sealed class EmbedKeyGate(DefinitionBook definitions, PosternStore store)
{
    private static readonly Refusal Unknown = new(
        RefusalKind.Unauthenticated, "Send the id and secret of an embed key as HTTP Basic, from your back end.") { Code = "embed-key" };

    public async ValueTask<Outcome<EmbedKey>> RequireAsync(HttpContext context)
    {
        var tenant = TenantGate.Of(context).Id;
        if (context.Request.Headers.ContainsKey("Origin") || context.Request.Headers.ContainsKey("Sec-Fetch-Site"))
            return await RefuseAsync(tenant, "from-browser", context.RequestAborted);
        if (!TryReadBasic(context.Request.Headers.Authorization.ToString(), out var id, out var hash))
            return await RefuseAsync(tenant, "no-basic", context.RequestAborted);

        var key = await definitions.EmbedKeyAsync(tenant, id, context.RequestAborted);
        // Compared even when there is no such key, so that neither answer is faster.
        var expected = key is null ? new byte[SHA256.HashSizeInBytes] : [.. key.SecretHash];
        return CryptographicOperations.FixedTimeEquals(expected, hash) && key is not null
            ? key
            : await RefuseAsync(tenant, "wrong-secret", context.RequestAborted);
    }

    /// <summary>Records that a key asked for more than it may.</summary>
    public Task RefusedAsync(EmbedKey key, string? subject, Refusal refusal, CancellationToken cancellation) => store.RecordAsync(
        new AuditEvent(EventKind.EmbedCodeRefused, key.Tenant)
        {
            Subject = string.IsNullOrEmpty(subject) ? null : new SubjectKey(key.Tenant, key.Authority, subject[..Math.Min(subject.Length, 255)]),
            Code = refusal.Code,
        }.With("embedKey", key.Id), cancellation);

    private async Task<Refusal> RefuseAsync(TenantId tenant, string code, CancellationToken cancellation)
    {
        await store.RecordAsync(new AuditEvent(EventKind.EmbedCodeRefused, tenant) { Code = code }, cancellation);
        return Unknown;
    }

    private static bool TryReadBasic(string header, out string id, out byte[] hash)
    {
        id = "";
        hash = [];
        if (!header.StartsWith("Basic ", StringComparison.OrdinalIgnoreCase) || header.Length > 1024)
            return false;
        Span<byte> decoded = stackalloc byte[768];
        if (!Convert.TryFromBase64String(header["Basic ".Length..].Trim(), decoded, out var length))
            return false;
        var pair = decoded[..length];
        var colon = pair.IndexOf((byte)':');
        if (colon <= 0)
            return false;
        id = Encoding.UTF8.GetString(pair[..colon]);
        hash = SHA256.HashData(pair[(colon + 1)..]);
        CryptographicOperations.ZeroMemory(decoded);
        return true;
    }
}
