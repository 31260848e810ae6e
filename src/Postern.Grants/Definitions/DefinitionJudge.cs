using System.Collections.Concurrent;
using System.Text;
using Microsoft.Extensions.Logging;
using Postern.Model;
using Postern.Store;
using Postern.Vault;

namespace Postern.Grants.Definitions;

/// <summary>Whether a stored definition is believed, and what it says.</summary>
internal sealed partial class DefinitionJudge(PosternStore store, TokenVault vault, ILogger log)
{
    // Rows already reported as edited, so that one edit is one event and not one for each look.
    private readonly ConcurrentDictionary<(TenantId, DefinitionKind, string, long), bool> reported = new();
    // The highest revision of each that was believed here: an older one that comes back was put back by somebody else.
    private readonly ConcurrentDictionary<(TenantId, DefinitionKind, string), long> highest = new();

    /// <summary>The row, when its MAC fits and it is the newest there ever was; null, with an event, when somebody edited the database.</summary>
    public async Task<DefinitionRow?> BelieveAsync(DefinitionRow row, CancellationToken cancellation) =>
        await BelieveAsync(row, await store.Definitions.HighestAsync(row.Tenant, row.Kind, row.Name, cancellation), cancellation);

    /// <inheritdoc cref="BelieveAsync(DefinitionRow, CancellationToken)"/>
    /// <param name="stored">The highest revision that there is.</param>
    public async Task<DefinitionRow?> BelieveAsync(DefinitionRow row, long stored, CancellationToken cancellation)
    {
        var judged = await vault.VerifyMacAsync(
            MacContext(row.Tenant, row.Kind, row.Name), Message(row.Tenant, row.Kind, row.Name, row.Revision, row.Body, row.MadeBy), row.Mac, cancellation);
        if (!judged.TryGet(out _, out var why))
        {
            if (why.IsKeyUnavailable())
                throw new VaultException(why);
            // Nobody edited the rows of a shredded tenant: their key is gone.
            if (await store.Keys.IsShreddedAsync(row.Tenant, cancellation))
                return null;
            await ReportAsync(row, why.Code, cancellation);
            return null;
        }
        if (row.Revision >= Math.Max(stored, highest.GetValueOrDefault((row.Tenant, row.Kind, row.Name))))
        {
            highest[(row.Tenant, row.Kind, row.Name)] = row.Revision;
            return row;
        }
        // Either a newer one came into force since this one was read, or an older one was put back.
        if (await store.Definitions.CurrentAsync(row.Tenant, row.Kind, row.Name, cancellation) is { } now && now.Revision > row.Revision)
            return await BelieveAsync(now, cancellation);
        await ReportAsync(row, "older-revision", cancellation);
        return null;
    }

    /// <summary>What a row defines, client secrets opened; null for what another room reads.</summary>
    public async Task<object?> ReadAsync(DefinitionRow row, CancellationToken cancellation)
    {
        switch (row.Kind)
        {
            case DefinitionKind.Tenant:
                var (tenant, tenantSecret) = DefinitionJson.Read<Tenant>(row.Body);
                var client = tenant.SignIn.Client with { ClientSecret = await OpenAsync(SignInContext(tenant), tenantSecret, cancellation) };
                return tenant with { SignIn = tenant.SignIn with { Client = client }, Revision = row.Revision };
            case DefinitionKind.Connection:
                var (connection, secret) = DefinitionJson.Read<Connection>(row.Body);
                var authorization = connection.Authorization with { ClientSecret = await OpenAsync(SecretContext(connection), secret, cancellation) };
                return connection with { Authorization = authorization, Revision = row.Revision };
            case DefinitionKind.EmbedKey:
                return DefinitionJson.Read<EmbedKey>(row.Body).Definition;
            default:
                return null;
        }
    }

    private async Task<SecretText?> OpenAsync(RecordContext context, byte[]? sealedSecret, CancellationToken cancellation)
    {
        if (sealedSecret is null)
            return null;
        var opened = await vault.OpenAsync(context, sealedSecret, cancellation);
        if (!opened.TryGet(out var bytes, out var why))
            throw new VaultException(why);
        using (bytes)
            return new SecretText(Encoding.UTF8.GetString(bytes.Reveal()));
    }

    private async Task ReportAsync(DefinitionRow row, string code, CancellationToken cancellation)
    {
        if (!reported.TryAdd((row.Tenant, row.Kind, row.Name, row.Revision), true))
            return;
        RowRefused(log, row.Tenant, DefinitionRow.FeedKey(row.Kind, row.Name), row.Revision);
        await store.RecordAsync(
            new AuditEvent(EventKind.RowTampered, row.Tenant) { Code = code }
                .With("definition", DefinitionRow.FeedKey(row.Kind, row.Name)).With("revision", row.Revision), cancellation);
    }

    /// <summary>The highest revision that there is or that this process ever believed.</summary>
    public async Task<long> HighestAsync(TenantId tenant, DefinitionKind kind, string name, CancellationToken cancellation) => Math.Max(
        await store.Definitions.HighestAsync(tenant, kind, name, cancellation), highest.GetValueOrDefault((tenant, kind, name)));

    public static RecordContext SecretContext(Connection connection) =>
        RecordContexts.ClientSecret(connection.Tenant, connection.Id, 1, ConnectionDigest.Of(connection));

    // The secret of the sign-in client goes to the sign-in issuer only, so the issuer is part of where it may be opened.
    public static RecordContext SignInContext(Tenant tenant) =>
        RecordContexts.Extension(tenant.Id, "sign-in.secret", "definitions", tenant.SignIn.Client.Issuer + "|" + tenant.SignIn.Client.ClientId);

    public static MacContext MacContext(TenantId tenant, DefinitionKind kind, string name) =>
        MacContexts.Definition(tenant, DefinitionRow.FeedKey(kind, name));

    public async Task<byte[]> MacAsync(
        TenantId tenant, DefinitionKind kind, string name, long revision, string body, string madeBy, CancellationToken cancellation) =>
        await vault.MacAsync(MacContext(tenant, kind, name), Message(tenant, kind, name, revision, body, madeBy), cancellation);

    public static ReadOnlyMemory<byte> Message(TenantId tenant, DefinitionKind kind, string name, long revision, string body, string madeBy) =>
        new CanonicalFields("postern/definition-row/1").Add(tenant.Value).Add((long)kind).Add(name).Add(revision).Add(body).Add(madeBy).Written;

    [LoggerMessage(4501, LogLevel.Error, "Definition {Definition} of tenant {Tenant}, revision {Revision}, was edited outside Postern and is not used.")]
    private static partial void RowRefused(ILogger log, TenantId tenant, string definition, long revision);
}
