using Microsoft.EntityFrameworkCore;

namespace Postern.Sandbox.Issuers;

/// <summary>The database of one issuer: OpenIddict's tables and the client assertions already seen.</summary>
/// <remarks>
/// SQLite in a file, never EF's in-memory provider: that one ignores every bulk revocation, and a test of revocation against it passes
/// for the wrong reason.
/// </remarks>
internal sealed class IssuerStore(DbContextOptions<IssuerStore> options) : DbContext(options)
{
    public DbSet<SeenAssertion> SeenAssertions => Set<SeenAssertion>();

    /// <summary>The connection string of an issuer's database file. Writers wait for one another for up to 30 seconds.</summary>
    public static string ConnectionString(string directory, IssuerProfile profile) =>
        $"Data Source={Path.Combine(directory, profile.Id + ".db")};Default Timeout=30";

    /// <summary>Creates the tables where they are missing, in write-ahead mode so that readers never wait for a writer.</summary>
    public async Task PrepareAsync(CancellationToken cancellation)
    {
        await Database.EnsureCreatedAsync(cancellation);
        await Database.ExecuteSqlRawAsync("PRAGMA journal_mode=WAL", cancellation);
    }

    protected override void OnModelCreating(ModelBuilder modelBuilder)
    {
        base.OnModelCreating(modelBuilder);
        modelBuilder.Entity<SeenAssertion>(entity =>
        {
            entity.HasKey(seen => new { seen.Client, seen.Id });
            entity.HasIndex(seen => seen.ExpiresAt);
        });
    }
}

/// <summary>A client assertion that was accepted once and must not be again while it is valid (OIDC Core section 9, <c>jti</c>).</summary>
internal sealed class SeenAssertion
{
    public required string Client { get; init; }

    public required string Id { get; init; }

    /// <summary>Unix seconds after which the assertion is refused for its age, and this row may go.</summary>
    public required long ExpiresAt { get; init; }
}
