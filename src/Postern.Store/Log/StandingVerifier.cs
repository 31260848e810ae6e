using System.Globalization;
using Postern.Audit;
using Postern.Model;

namespace Postern.Store;

/// <summary>Something that is in force although the log says otherwise.</summary>
/// <param name="What">A definition as the feed names it, such as <c>connection/lakehouse</c>, or <c>grant/</c> and the grant's id.</param>
/// <param name="Detail">One sentence for an operator; no secret.</param>
public sealed record StandingFault(string What, string Detail)
{
    /// <inheritdoc/>
    public override string ToString() => $"{What} {Detail}";
}

/// <summary>
/// Compares what is in force with the log's last word on it: each definition's revision and digest, and each active grant. A MAC says
/// that Postern wrote a row, not that the row is the newest; whoever puts an old row back contradicts the log, or has to break it.
/// </summary>
public sealed class StandingVerifier
{
    private const int PageSize = 1000;
    private readonly Database database;

    internal StandingVerifier(Database database) => this.database = database;

    /// <summary>The contradictions of a tenant; none for a database that nobody edited. May run while nodes work.</summary>
    public async Task<IReadOnlyList<StandingFault>> VerifyAsync(TenantId tenant, CancellationToken cancellation)
    {
        var faults = await LookAsync(tenant, cancellation);
        if (faults.Count == 0)
            return faults;
        // Rows and log are read one after the other, so what changes in between contradicts itself once, and not twice.
        var again = await LookAsync(tenant, cancellation);
        return [.. faults.Intersect(again)];
    }

    private async Task<IReadOnlyList<StandingFault>> LookAsync(TenantId tenant, CancellationToken cancellation)
    {
        var said = await LastWordsAsync(tenant, cancellation);
        var faults = new List<StandingFault>();
        var inForce = await database.ListAsync(
            "SELECT * FROM definitions WHERE tenant = @tenant AND superseded_at IS NULL ORDER BY kind, name",
            new { tenant = tenant.Value }, DefinitionRow.Read, cancellation);
        foreach (var row in inForce)
        {
            var name = DefinitionRow.FeedKey(row.Kind, row.Name);
            if (!said.Definitions.Remove(name, out var last))
                faults.Add(new(name, "is in force, but the log never tells of it."));
            else if (last.Revision != row.Revision)
                faults.Add(new(name, string.Create(CultureInfo.InvariantCulture, $"is in force at revision {row.Revision}, but the log's last change made revision {last.Revision}.")));
            else if (last.Digest != DefinitionRow.DigestOf(row.Body))
                faults.Add(new(name, "is not what the log's last change put in force."));
        }
        faults.AddRange(said.Definitions.Keys.Order(StringComparer.Ordinal).Select(name => new StandingFault(name, "is not in force any more, and the log does not tell why.")));

        var active = await database.ListAsync(
            "SELECT * FROM grants WHERE tenant = @tenant AND state = 1 ORDER BY id", new { tenant = tenant.Value }, GrantRow.Read, cancellation);
        foreach (var row in active)
        {
            var name = $"grant/{row.Id}";
            if (!said.Grants.TryGetValue(row.Id, out var generation))
                faults.Add(new(name, "is active, but the log never tells that it was given, or that it is over."));
            else if (generation != row.Generation)
                faults.Add(new(name, string.Create(CultureInfo.InvariantCulture, $"is active in generation {row.Generation}, but the log's last word is generation {generation}.")));
        }
        return faults;
    }

    /// <summary>What the log says last: the revision and digest of each definition, and the generation of each grant that stands.</summary>
    private async Task<LastWords> LastWordsAsync(TenantId tenant, CancellationToken cancellation)
    {
        var words = new LastWords([], []);
        for (long after = 0; ;)
        {
            var page = await database.ListAsync(
                "SELECT id, bytes FROM event_leaves WHERE tenant = @tenant AND id > @after ORDER BY id LIMIT @limit",
                new { tenant = tenant.Value, after, limit = PageSize }, row => (Id: row.Number("id"), Bytes: row.Bytes("bytes")), cancellation);
            foreach (var (_, bytes) in page)
            {
                // Bytes that are no event any more are the chain's matter.
                if (AuditLeaf.TryRead(bytes, out var recorded))
                    words.Hear(recorded.Event);
            }
            if (page.Count < PageSize)
                return words;
            after = page[^1].Id;
        }
    }

    private sealed record LastWords(Dictionary<string, (long Revision, string? Digest)> Definitions, Dictionary<GrantId, int> Grants)
    {
        public void Hear(AuditEvent told)
        {
            switch (told.Kind)
            {
                case EventKind.DefinitionChanged when told.Facts.TryGetValue("definition", out var name) && told.Facts.TryGetValue("revision", out var revision):
                    Definitions[name] = (long.Parse(revision, CultureInfo.InvariantCulture), told.Facts.GetValueOrDefault("sha256"));
                    break;
                case EventKind.GrantConfirmed or EventKind.TokensRenewed or EventKind.TokensIssued when told is { Grant: { } given, Generation: { } generation }:
                    Grants[given] = generation;
                    if (told.Facts.TryGetValue("replaced", out var replaced) && Guid.TryParse(replaced, out var old))
                        Grants.Remove(new GrantId(old));
                    break;
                case EventKind.GrantRevoked or EventKind.GrantEnded or EventKind.GrantAbandoned or EventKind.RecordRefused or EventKind.RowTampered:
                case EventKind.RenewalUncertain when told.Code == "ended":
                    if (told.Grant is { } over)
                        Grants.Remove(over);
                    break;
            }
        }
    }
}
