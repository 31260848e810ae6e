using System.Runtime.CompilerServices;
using Postern.Grants.Definitions;
using Postern.Model;
using Postern.Store;
using Postern.Vault;

namespace Postern.Grants.Keys;

/// <summary>
/// Every row with something under a tenant's key, page by page: what the sweep of a rotation moves and the inventory counts. A new kind
/// of sealed row gets its place here and in <see cref="SealedRowReads"/>.
/// </summary>
internal sealed class VaultRows(PosternStore store, TokenVault vault, RowMacs macs, DefinitionBook definitions)
{
    private const int Page = 100;

    /// <summary>The rows that a rotation moves; those under another key version than this, or all when it is null.</summary>
    public async IAsyncEnumerable<VaultRow> LastingAsync(TenantId tenant, Guid? notUnder, [EnumeratorCancellation] CancellationToken cancellation)
    {
        await foreach (var grant in PagesAsync<GrantRow, GrantId?>((after, token) => store.SealedRows.GrantsAsync(tenant, notUnder, after, Page, token), row => row.Id, cancellation))
            yield return Of(grant);
        await foreach (var told in PagesAsync<RevocationRow, Guid?>((after, token) => store.SealedRows.RevocationsAsync(tenant, notUnder, after, Page, token), row => row.Id, cancellation))
            yield return Of(told);
        await foreach (var session in PagesAsync<SessionRow, SecretHash?>((after, token) => store.SealedRows.SessionsAsync(tenant, notUnder, after, Page, token), row => row.Id, cancellation))
            yield return Of(session);
        foreach (var definition in await store.SealedRows.DefinitionsAsync(tenant, cancellation))
        {
            var row = Of(definition);
            if (notUnder is null || row.Parts.Any(part => part.Version != notUnder))
                yield return row;
        }
    }

    /// <summary>The rows that live minutes, which no rotation moves.</summary>
    public async IAsyncEnumerable<VaultRow> PassingAsync(TenantId tenant, [EnumeratorCancellation] CancellationToken cancellation)
    {
        foreach (var connect in await store.SealedRows.ConnectsAsync(tenant, cancellation))
        {
            var sealedPart = (await definitions.ConnectionAsync(tenant, connect.Connection, cancellation)).TryGet(out var connection, out _)
                ? Record("connect.pending", connect.Sealed, RecordContexts.PendingConnect(connect.Id.ToString("D"), connect.Subject, connect.Connection, ConnectionDigest.Of(connection)))
                : Lost("connect.pending", connect.Sealed);
            yield return new([sealedPart, .. Mac("mac.pending-connect", connect.Mac, token => macs.CheckAsync(connect, token))], null);
        }
        foreach (var code in await store.SealedRows.CodesAsync(tenant, cancellation))
            yield return new([.. Mac("mac.embed-code", code.Mac, token => macs.CheckAsync(code, token))], null);
        var issuer = (await definitions.TenantsAsync(cancellation)).FirstOrDefault(known => known.Id == tenant)?.SignIn.Client.Issuer;
        foreach (var signIn in await store.SealedRows.SignInsAsync(tenant, cancellation))
        {
            yield return new([issuer is null
                ? Lost("sign-in.pending", signIn.Sealed)
                : Record("sign-in.pending", signIn.Sealed, RecordContexts.SignIn(tenant, signIn.State.Hex, issuer))], null);
        }
    }

    private VaultRow Of(GrantRow row)
    {
        var access = RecordContexts.AccessToken(row.Id, row.Subject, row.Connection, row.Generation, row.ConnectionDigest);
        var refresh = RecordContexts.RefreshToken(row.Id, row.Subject, row.Connection, row.Generation, row.ConnectionDigest);
        return new(
            [.. Records("token.access", row.AccessSealed, access), .. Records("token.refresh", row.RefreshSealed, refresh), .. Mac("mac.grant", row.Mac, token => macs.CheckAsync(row, token))],
            async cancellation =>
            {
                var (newAccess, newRefresh) = (await ResealAsync(access, row.AccessSealed, cancellation), await ResealAsync(refresh, row.RefreshSealed, cancellation));
                if (!newAccess.Opened() || !newRefresh.Opened() || row.Mac is not null && !(await macs.CheckAsync(row, cancellation)).Opened())
                    return null;
                var mac = row.Mac is null ? null : await macs.OfAsync(row, cancellation);
                return new(ResealChanges.Grant(row, OrNull(newAccess), OrNull(newRefresh), mac));
            });
    }

    private VaultRow Of(RevocationRow row)
    {
        var access = RecordContexts.AccessToken(row.Grant, row.Subject, row.Connection, row.Generation, row.ConnectionDigest);
        var refresh = RecordContexts.RefreshToken(row.Grant, row.Subject, row.Connection, row.Generation, row.ConnectionDigest);
        return new(
            [.. Records("token.access", row.AccessSealed, access), .. Records("token.refresh", row.RefreshSealed, refresh)],
            async cancellation =>
            {
                var (newAccess, newRefresh) = (await ResealAsync(access, row.AccessSealed, cancellation), await ResealAsync(refresh, row.RefreshSealed, cancellation));
                return newAccess.Opened() && newRefresh.Opened()
                    ? new(ResealChanges.Revocation(row, OrNull(newAccess), OrNull(newRefresh)))
                    : null;
            });
    }

    private VaultRow Of(SessionRow row) => new(
        [.. Mac("mac.session", row.Mac, token => macs.CheckAsync(row, token))],
        async cancellation => (await macs.CheckAsync(row, cancellation)).Opened()
            ? new(ResealChanges.Session(row, await macs.OfAsync(row, cancellation)))
            : null);

    private VaultRow Of(DefinitionRow row)
    {
        var secret = DefinitionSecret.Of(row);
        return new(
            [.. secret is null ? [] : Records("client.secret", secret.Record, secret.Context), .. Mac("mac.definition", row.Mac, token => CheckAsync(row, token))],
            async cancellation =>
            {
                var resealed = secret is null ? Outcome<byte[]>.Of([]) : await vault.ResealAsync(secret.Context, secret.Record, cancellation);
                if (!resealed.Opened() || !(await CheckAsync(row, cancellation)).Opened())
                    return null;
                var body = secret is null || OrNull(resealed) is not { } record ? row.Body : secret.Write(record);
                var mac = await vault.MacAsync(Context(row), Message(row, body), cancellation);
                var move = ResealChanges.Definition(row, body, mac);
                if (secret is null || row.SupersededAt is not null)
                    return new(move);
                // The log knows the digest of what is in force.
                return new(move, new AuditEvent(EventKind.DefinitionChanged, row.Tenant) { Code = "resealed" }
                    .With("definition", DefinitionRow.FeedKey(row.Kind, row.Name)).With("revision", row.Revision).With("sha256", DefinitionRow.DigestOf(body)));
            });
    }

    /// <summary>A record sealed anew; nothing, as an empty array, for none.</summary>
    private async ValueTask<Outcome<byte[]>> ResealAsync(RecordContext context, byte[]? record, CancellationToken cancellation) =>
        record is null ? Outcome<byte[]>.Of([]) : await vault.ResealAsync(context, record, cancellation);

    private static byte[]? OrNull(Outcome<byte[]> resealed) => resealed.TryGet(out var bytes, out _) && bytes.Length > 0 ? bytes : null;

    private ValueTask<Outcome<Done>> CheckAsync(DefinitionRow row, CancellationToken cancellation) =>
        vault.VerifyMacAsync(Context(row), Message(row, row.Body), row.Mac, cancellation);

    private static MacContext Context(DefinitionRow row) => DefinitionJudge.MacContext(row.Tenant, row.Kind, row.Name);

    private static ReadOnlyMemory<byte> Message(DefinitionRow row, string body) =>
        DefinitionJudge.Message(row.Tenant, row.Kind, row.Name, row.Revision, body, row.MadeBy);

    private IEnumerable<SealedPart> Records(string kind, byte[]? record, RecordContext context) => record is null ? [] : [Record(kind, record, context)];

    private SealedPart Record(string kind, byte[] record, RecordContext context) => new(kind, RecordFormat.KeyVersionOf(record), async cancellation =>
    {
        if (!(await vault.OpenAsync(context, record, cancellation)).TryGet(out var plaintext, out var why))
            return why;
        plaintext.Dispose();
        return default(Done);
    });

    private static SealedPart Lost(string kind, byte[] record) => new(
        kind, RecordFormat.KeyVersionOf(record),
        _ => new(VaultErrors.Refuse(VaultError.Refused, "What it was sealed for is not defined any more.")));

    private static IEnumerable<SealedPart> Mac(string kind, byte[]? mac, Func<CancellationToken, ValueTask<Outcome<Done>>> check) =>
        mac is null ? [] : [new(kind, RowMac.KeyVersionOf(mac), check)];

    private static async IAsyncEnumerable<T> PagesAsync<T, TKey>(
        Func<TKey?, CancellationToken, Task<IReadOnlyList<T>>> read, Func<T, TKey> keyOf, [EnumeratorCancellation] CancellationToken cancellation)
    {
        TKey? after = default;
        while (true)
        {
            var page = await read(after, cancellation);
            foreach (var row in page)
                yield return row;
            if (page.Count < Page)
                yield break;
            after = keyOf(page[^1]);
        }
    }
}
