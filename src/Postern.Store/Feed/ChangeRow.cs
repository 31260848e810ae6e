using Postern.Model;

namespace Postern.Store;

/// <summary>What kind of thing changed; the numbers are stored.</summary>
public enum ChangeKind
{
    /// <summary>A grant; the key is its id.</summary>
    Grant = 1,

    /// <summary>A session; the key is the hash of its id, see <see cref="SecretHash.Hex"/>.</summary>
    Session = 2,

    /// <summary>A definition; the key is <c>kind/name</c>, such as <c>connection/lakehouse</c>.</summary>
    Definition = 3,

    /// <summary>A tenant key; the key is its version.</summary>
    Key = 4,
}

/// <summary>One row of the feed: what other nodes must drop from their caches.</summary>
/// <param name="Id">Its place: one more than the row before it, in the order of commits.</param>
/// <param name="Kind">What kind of thing.</param>
/// <param name="Tenant">Whose.</param>
/// <param name="Key">Which one.</param>
public sealed record ChangeRow(long Id, ChangeKind Kind, TenantId Tenant, string Key);

/// <summary>Hears of changes, its own node's included, at most about a quarter of a second after they committed.</summary>
public interface IChangeListener
{
    /// <summary>Rows that were committed, in that order. Must not block or throw. May name a row twice.</summary>
    void OnChanges(IReadOnlyList<ChangeRow> changes);

    /// <summary>Changes may have been missed (a long absence, a restored database): drop everything.</summary>
    void OnMissed();
}
