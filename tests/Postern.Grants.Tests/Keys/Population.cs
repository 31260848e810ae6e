using Postern.Grants.Definitions;
using Postern.Grants.Tests.Support;
using Postern.Model;
using Postern.OAuth;
using Postern.Store;
using Postern.Vault;

namespace Postern.Grants.Tests.Keys;

/// <summary>Many tenants with many sealed rows each, written by the product: definitions with client secrets, grants, sessions, revocations that wait.</summary>
internal sealed class Population
{
    /// <summary>Definitions of a tenant.</summary>
    public const int Definitions = 2;

    /// <summary>Sessions of a tenant.</summary>
    public const int Sessions = 20;

    private const int Revocations = 8;
    private readonly Rig rig;
    private readonly int rows;

    private Population(Rig rig, int tenants, int rows)
    {
        this.rig = rig;
        this.rows = rows;
        Tenants = [.. Enumerable.Range(0, tenants).Select(i => TenantId.Parse($"tenant{i}"))];
    }

    public IReadOnlyList<TenantId> Tenants { get; }

    /// <param name="rowsOfATenant">How many rows of each tenant a rotation moves.</param>
    public static async Task<Population> WriteAsync(Rig rig, int tenants, int rowsOfATenant)
    {
        var population = new Population(rig, tenants, rowsOfATenant);
        await Parallel.ForEachAsync(population.Tenants, new ParallelOptions { MaxDegreeOfParallelism = 4, CancellationToken = Rig.Cancellation }, async (tenant, _) =>
        {
            var seed = rig.Seed(tenant);
            await rig.One.Desk.Definitions.SeedAsync(seed with { Connections = [seed.Connections[0]], EmbedKeys = [], Others = [] }, "test", Rig.Cancellation);
        });
        await rig.One.Desk.Definitions.TenantsAsync(Rig.Cancellation);
        await Parallel.ForEachAsync(population.Tenants, new ParallelOptions { MaxDegreeOfParallelism = 4, CancellationToken = Rig.Cancellation },
            async (tenant, _) => await population.FillAsync(tenant));
        return population;
    }

    /// <summary>The token that a grant was given.</summary>
    public static string TokenOf(SubjectKey owner) => $"cold-{owner.Tenant}-{owner.Id}";

    private async Task FillAsync(TenantId tenant)
    {
        var connection = await rig.One.ConnectionAsync(Rig.Lake, tenant);
        var changes = new List<Change>();
        for (var i = 0; i < rows - Definitions - Sessions - Revocations; i++)
            changes.Add(GrantChanges.InsertActive(await NewGrantAsync(connection, new SubjectKey(tenant, "https://idp.test", $"cold{i}"))));
        for (var i = 0; i < Revocations; i++)
        {
            var owner = new SubjectKey(tenant, "https://idp.test", $"gone{i}");
            var (id, pair) = await SealAsync(connection, owner);
            changes.Add(RevocationChanges.Enqueue(new RevocationRow(
                rig.One.Get<IChance>().NewId(), owner, connection.Id, id, 1, ConnectionDigest.Of(connection), pair.Refresh, pair.Access, pair.AccessExpiresAt)));
        }
        foreach (var some in changes.Chunk(100))
            Assert.True((await rig.One.Store.CommitAsync(some, new AuditEvent(EventKind.GrantConfirmed, tenant), null, Rig.Cancellation)).Committed);
        for (var i = 0; i < Sessions; i++)
            await rig.One.SignInAsync(Rig.Person($"cold{i}", tenant));
    }

    private async Task<NewGrant> NewGrantAsync(Connection connection, SubjectKey owner)
    {
        var (id, pair) = await SealAsync(connection, owner);
        return await rig.One.Get<RowMacs>().SignAsync(new NewGrant
        {
            Id = id,
            Subject = owner,
            Connection = connection.Id,
            // Nobody renews them.
            Pair = pair with { RenewalDueAt = null },
            Scopes = "sql",
            Principal = new(connection.Authorization.Issuer!, owner.Id, owner.Id),
            ConnectionDigest = ConnectionDigest.Of(connection),
            DefinitionRevision = connection.Revision,
        }, confirmation: null, Rig.Cancellation);
    }

    private async Task<(GrantId Id, SealedPair Pair)> SealAsync(Connection connection, SubjectKey owner)
    {
        var id = new GrantId(rig.One.Get<IChance>().NewId());
        using var tokens = new TokenSet(SecretBytes.FromText(TokenOf(owner)), SecretBytes.FromText("refresh-" + TokenOf(owner)), TimeSpan.FromDays(1), ["sql"], null);
        return (id, await rig.One.Get<TokenSealer>().SealAsync(id, owner, connection, 1, tokens, tokens.Refresh));
    }
}
