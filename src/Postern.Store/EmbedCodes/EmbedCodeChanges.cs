using Postern.Model;

namespace Postern.Store;

/// <summary>Embed codes are issued and redeemed, once.</summary>
public static class EmbedCodeChanges
{
    /// <summary>Issues a code.</summary>
    public static Change Issue(EmbedCodeRow code) => new(
        "embed-code-issue",
        """
        INSERT INTO embed_codes (code_hash, tenant, subject_authority, subject_id, embed_key, attributes, workbook, origin, challenge, created_at, expires_at, mac)
        VALUES (@code, @tenant, @authority, @subjectId, @embedKey, @attributes, @workbook, @origin, @challenge, {now}, @expiresAt, @mac)
        """,
        new
        {
            code = code.Code.Hex,
            tenant = code.Subject.Tenant.Value,
            authority = code.Subject.Authority,
            subjectId = code.Subject.Id,
            embedKey = code.EmbedKey,
            attributes = code.Attributes,
            workbook = code.Workbook.Value,
            origin = code.Origin,
            challenge = code.Challenge,
            expiresAt = code.ExpiresAt.ToMs(),
            mac = code.Mac,
        });

    /// <summary>
    /// The frame whose nonce has this challenge redeems the code. Once, in time, while the embed key that vouched for the person and the
    /// workbook stand; its MAC is erased. Commit it with the session it buys.
    /// </summary>
    public static Change Redeem(TenantId tenant, SecretHash code, string challenge) => new(
        "embed-code-redeem",
        """
        UPDATE embed_codes SET used_at = {now}, mac = NULL
        WHERE code_hash = @code AND tenant = @tenant AND challenge = @challenge AND used_at IS NULL AND expires_at > {now}
            AND NOT EXISTS (SELECT 1 FROM definitions d WHERE d.tenant = embed_codes.tenant AND d.superseded_at IS NULL AND d.body = ''
                AND (d.kind = @keyKind AND d.name = embed_codes.embed_key OR d.kind = @workbookKind AND d.name = embed_codes.workbook))
        """,
        new { code = code.Hex, tenant = tenant.Value, challenge, keyKind = (int)DefinitionKind.EmbedKey, workbookKind = (int)DefinitionKind.Workbook })
    {
        // Whoever retires the key or the workbook waits, and then finds the session that this buys.
        Lock = """
            SELECT code_hash FROM embed_codes WHERE code_hash = @code AND tenant = @tenant {update};
            SELECT d.name FROM definitions d JOIN embed_codes e ON e.tenant = d.tenant
            WHERE e.code_hash = @code AND e.tenant = @tenant AND d.superseded_at IS NULL
                AND (d.kind = @keyKind AND d.name = e.embed_key OR d.kind = @workbookKind AND d.name = e.workbook) {share}
            """,
    };

    /// <summary>Forgets codes that ended an hour ago or earlier.</summary>
    public static Upkeep Prune() => new(
        "embed-code-prune", "DELETE FROM embed_codes WHERE expires_at < {now} - 3600000", new { }, expected: RowCount.Any);
}
