using Postern.Grants.Connects;
using Postern.Grants.Keys;
using Postern.Grants.Sessions;
using Postern.Grants.Tests.Support;
using Postern.Model;
using Postern.OAuth;
using Postern.Policy;
using Postern.Store;

namespace Postern.Grants.Tests.Tampering;

/// <summary>
/// Two tenants full of sealed values, written by the product, and a thief who moves them by SQL. Every sealed value has a number, and
/// every column of every row that holds one knows its own: a move by a shift puts into each place the value of another one.
/// </summary>
internal sealed class Sealed
{
    /// <summary>Tables, their keys and their sealed columns.</summary>
    private static readonly (string Table, string Key, string Column)[] Columns =
    [
        ("grants", "id", "access_sealed"),
        ("grants", "id", "refresh_sealed"),
        ("provider_revocations", "id", "access_sealed"),
        ("provider_revocations", "id", "refresh_sealed"),
        ("pending_connects", "id", "sealed"),
        ("sign_ins", "state_hash", "sealed"),
    ];

    private static readonly ConnectionId[] Connections = [Rig.Lake, Rig.Grace, Rig.Steady];
    private readonly Rig rig;
    private readonly List<(TenantId Tenant, ConnectionId Connection, ConnectRedirect Redirect)> connects = [];
    private readonly List<(Tenant Tenant, SignInRedirect Redirect)> signIns = [];

    private Sealed(Rig rig) => this.rig = rig;

    public static TenantId Other { get; } = TenantId.Parse("other");

    /// <summary>Who has a grant on each connection that stands.</summary>
    public IReadOnlyList<Subject> People { get; private set; } = [];

    /// <summary>How many places hold a sealed value.</summary>
    public int Places { get; private set; }

    /// <summary>How many sealed values there are to put there: those of the places, of client secrets, and of former generations.</summary>
    public int Values { get; private set; }

    /// <summary>Seeds both tenants: people with grants, half of them renewed, revocations that wait, connects and sign-ins under way.</summary>
    public static async Task<Sealed> WriteAsync(Rig rig)
    {
        await rig.One.Desk.Definitions.SeedAsync(rig.Seed(Other), "test", Rig.Cancellation);
        var written = new Sealed(rig) { People = [.. from tenant in new[] { Rig.Acme, Other } from i in Enumerable.Range(0, 6) select Rig.Person($"person{i}", tenant)] };
        foreach (var person in written.People)
        {
            foreach (var connection in Connections)
                await rig.GrantAsync(connection, person);
        }
        await written.PrepareAsync();
        await written.RenewHalfAsync();
        foreach (var tenant in new[] { Rig.Acme, Other })
        {
            foreach (var name in new[] { "gone", "left" })
            {
                var person = Rig.Person(name, tenant);
                var (id, _) = await rig.GrantAsync(Rig.Lake, person);
                await rig.One.Desk.RevokeAsync(person.Key, id, Rig.Cancellation);
            }
            await written.BeginAsync(tenant);
        }
        await written.NumberAsync();
        return written;
    }

    /// <summary>Puts into each place the value whose number is greater by so much; 0 is how it was.</summary>
    /// <returns>How many places were written.</returns>
    public async Task<int> ShiftAsync(int by)
    {
        var moved = 0;
        foreach (var (table, key, column) in Columns)
        {
            moved += await rig.SqlAsync(
                $"""
                UPDATE {table} SET {column} = (SELECT v.sealed FROM places p JOIN vals v ON v.n = (p.n + @by) % @count WHERE p.place = '{table}.{column}' AND p.row_key = {table}.{key})
                WHERE {column} IS NOT NULL
                """,
                new { by = (long)by, count = (long)Values });
        }
        return moved;
    }

    /// <summary>Puts into each grant these columns of another grant, as they were written; 0 is how it was.</summary>
    /// <param name="columns">Which. With <c>active_slot</c> the other's place is taken as well, which only one may hold at a time.</param>
    /// <returns>How many grants were written.</returns>
    public async Task<int> ShiftRowsAsync(int by, string[] columns)
    {
        await rig.SqlAsync("UPDATE grants SET active_slot = NULL WHERE state = 1");
        return await rig.SqlAsync(
            $"""
            UPDATE grants SET {string.Join(", ", columns.Append("active_slot").Select(column =>
                $"{column} = (SELECT k.{column} FROM places p JOIN places q ON q.place = p.place AND q.n = (p.n + {(columns.Contains(column) || column == "active_slot" && columns.Contains("slot") ? "@by" : "0")}) % @count JOIN kept k ON k.id = q.row_key WHERE p.place = 'grants.access_sealed' AND p.row_key = grants.id)"))}
            WHERE state = 1
            """,
            new { by = (long)by, count = (long)People.Count * Connections.Length });
    }

    /// <summary>What opens where it lies, in both tenants.</summary>
    public async Task<(long Readable, long Unreadable)> CountAsync(Func<string, bool> kinds)
    {
        var (readable, unreadable) = (0L, 0L);
        foreach (var tenant in new[] { Rig.Acme, Other })
        {
            foreach (var kind in (await rig.One.Get<VaultInventory>().CountAsync(tenant, Rig.Cancellation)).Kinds.Where(kind => kinds(kind.Kind)))
                (readable, unreadable) = (readable + kind.Readable, unreadable + kind.Unreadable);
        }
        return (readable, unreadable);
    }

    /// <summary>Puts the grants back as they were, those too that a refusal ended.</summary>
    public async Task PutBackAsync()
    {
        await rig.SqlAsync("DELETE FROM grants");
        await rig.SqlAsync("INSERT INTO grants SELECT * FROM kept");
    }

    /// <summary>Everybody queries on every connection; with a token that is over, that renews it first. What each was refused with.</summary>
    public async Task<IReadOnlyList<Refusal?>> UseGrantsAsync(TestNode node)
    {
        var refusals = new List<Refusal?>();
        foreach (var person in People)
        {
            var session = await node.SignInAsync(person);
            foreach (var connection in Connections)
                refusals.Add(await rig.PumpAsync(UseAsync(node, connection, session)));
        }
        return refusals;
    }

    /// <summary>Everybody comes back from the authorization server, to connects and to sign-ins. What each was refused with.</summary>
    public async Task<IReadOnlyList<Refusal?>> AnswerAsync()
    {
        var refusals = new List<Refusal?>();
        foreach (var (tenant, connection, redirect) in connects)
        {
            refusals.Add((await rig.One.Desk.Connects.ExchangeAsync(
                tenant, Answer(redirect.Url), redirect.Binding.Reveal(), $"https://{tenant}.test/oauth/callback/{connection}", Rig.Cancellation)).Refusal);
        }
        foreach (var (tenant, redirect) in signIns)
        {
            refusals.Add((await rig.One.Desk.SignIns.CompleteAsync(
                tenant, Answer(redirect.Url), redirect.Binding.Reveal(), $"https://{tenant.Id}.test/sign-in/callback", Rig.Cancellation)).Refusal);
        }
        return refusals;
    }

    private static async Task<Refusal?> UseAsync(TestNode node, ConnectionId connection, Session session)
    {
        if (!(await node.TryRunAsync(connection, session)).TryGet(out var run, out var why))
            return why;
        await using (run)
            return (await run.CurrentAsync(Rig.Cancellation)).Refusal;
    }

    private static CallbackParameters Answer(string url) => CallbackParameters.Parse(
        "code=good&" + new Uri(url).Query.TrimStart('?').Split('&').Single(part => part.StartsWith("state=", StringComparison.Ordinal))).Value();

    // Before anything is renewed: what the grants held in their first generation.
    private async Task PrepareAsync()
    {
        await rig.SqlAsync("CREATE TABLE vals AS SELECT generation AS n, access_sealed AS sealed FROM grants WHERE 1 = 0");
        await rig.SqlAsync("CREATE TABLE places AS SELECT created_at AS n, redirect_uri AS place, redirect_uri AS row_key FROM pending_connects WHERE 1 = 0");
        await rig.SqlAsync("CREATE TABLE former AS SELECT id, access_sealed, refresh_sealed FROM grants");
    }

    private async Task RenewHalfAsync()
    {
        rig.Clock.Advance(TimeSpan.FromMinutes(61));
        foreach (var person in People.Where((_, i) => i % 2 == 0))
        {
            foreach (var connection in Connections)
                Assert.Equal(2, (await rig.PumpAsync(rig.One.LeaseAsync(connection, person))).Value().Generation);
        }
        await rig.SqlAsync("DELETE FROM former WHERE id IN (SELECT id FROM grants WHERE generation = 1)");
    }

    private async Task BeginAsync(TenantId tenant)
    {
        var origin = $"https://{tenant}.test";
        var person = People.First(person => person.Key.Tenant == tenant);
        var session = await rig.One.SignInAsync(person);
        foreach (var connection in Connections)
        {
            var viewer = new Viewer(person, SessionKind.Portal, null, new HashSet<ConnectionId> { connection });
            var permitted = ConnectPolicy.Judge(viewer, await rig.One.ConnectionAsync(connection, tenant)).Value();
            var begun = (await rig.One.Desk.Connects.BeginAsync(permitted, session, null, origin + "/oauth/callback", Rig.Cancellation)).Value();
            connects.Add((tenant, connection, (await rig.One.Desk.Connects.RedirectAsync(tenant, begun.Handle.Reveal(), null, Rig.Cancellation)).Value()));
        }
        var known = Assert.Single(await rig.One.Desk.Definitions.TenantsAsync(Rig.Cancellation), other => other.Id == tenant);
        for (var i = 0; i < 2; i++)
            signIns.Add((known, (await rig.One.Desk.SignIns.BeginAsync(known, origin + "/sign-in/callback", "/", Rig.Cancellation)).Value()));
    }

    /// <summary>Gives every value its number: the grants' access tokens first, so that rows have the same order.</summary>
    private async Task NumberAsync()
    {
        await rig.SqlAsync("CREATE TABLE kept AS SELECT * FROM grants");
        foreach (var (table, key, column) in Columns)
        {
            foreach (var row in await rig.Database.ListAsync<string>($"SELECT {key} FROM {table} WHERE {column} IS NOT NULL ORDER BY {key}"))
            {
                await rig.SqlAsync("INSERT INTO places (n, place, row_key) VALUES (@n, @place, @row)", new { n = (long)Values, place = $"{table}.{column}", row });
                await rig.SqlAsync($"INSERT INTO vals (n, sealed) SELECT @n, {column} FROM {table} WHERE {key} = @row", new { n = (long)Values++, row });
            }
        }
        Places = Values;
        await rig.SqlAsync("CREATE INDEX ix_places ON places (place, n)");
        await rig.SqlAsync("CREATE INDEX ix_kept ON kept (id)");
        foreach (var row in await rig.Database.ListAsync<string>("SELECT id FROM former"))
        {
            foreach (var column in new[] { "access_sealed", "refresh_sealed" })
                await rig.SqlAsync($"INSERT INTO vals (n, sealed) SELECT @n, {column} FROM former WHERE id = @row", new { n = (long)Values++, row });
        }
        foreach (var tenant in new[] { Rig.Acme, Other })
        {
            foreach (var definition in await rig.One.Store.SealedRows.DefinitionsAsync(tenant, Rig.Cancellation))
            {
                if (DefinitionSecret.Of(definition) is { Record: var record })
                    await rig.SqlAsync("INSERT INTO vals (n, sealed) VALUES (@n, @record)", new { n = (long)Values++, record });
            }
        }
    }
}
