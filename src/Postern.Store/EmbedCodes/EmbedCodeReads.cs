using Postern.Model;

namespace Postern.Store;

/// <summary>Finds embed codes.</summary>
public sealed class EmbedCodeReads
{
    private readonly Database database;

    internal EmbedCodeReads(Database database) => this.database = database;

    /// <summary>The code, used or not; null if unknown.</summary>
    public Task<EmbedCodeRow?> FindAsync(TenantId tenant, SecretHash code, CancellationToken cancellation) => database.FindAsync(
        "SELECT * FROM embed_codes WHERE code_hash = @code AND tenant = @tenant",
        new { code = code.Hex, tenant = tenant.Value }, EmbedCodeRow.Read, cancellation);
}
