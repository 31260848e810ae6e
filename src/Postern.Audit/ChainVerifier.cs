using System.Diagnostics.CodeAnalysis;
using System.Globalization;
using System.Security.Cryptography;
using Postern.Model;

namespace Postern.Audit;

/// <summary>A position in a log, as a node, an export or an outside anchor remembers it.</summary>
/// <param name="Size">How many entries there were.</param>
/// <param name="Entry">The hash of the last of them; <see cref="HashChain.Genesis"/> when there was none.</param>
public sealed record AuditHead(long Size, byte[] Entry)
{
    /// <summary>Reads what <see cref="ToString"/> wrote.</summary>
    public static bool TryParse(string? text, [NotNullWhen(true)] out AuditHead? head)
    {
        head = null;
        var parts = (text ?? "").Split(':');
        if (parts.Length != 2 || !long.TryParse(parts[0], NumberStyles.None, CultureInfo.InvariantCulture, out var size)
            || parts[1].Length != 2 * HashChain.HashLength || !parts[1].All(char.IsAsciiHexDigit))
            return false;
        head = new(size, Convert.FromHexString(parts[1]));
        return true;
    }

    /// <summary>The position as an operator notes it: <c>SIZE:HASH</c>, the hash in lower-case hexadecimal.</summary>
    public override string ToString() => string.Create(CultureInfo.InvariantCulture, $"{Size}:{Convert.ToHexStringLower(Entry)}");
}

/// <summary>One entry as found, believed in nothing.</summary>
/// <param name="Index">The index it claims.</param>
/// <param name="Leaf">Its leaf's bytes; null when they are gone.</param>
/// <param name="Entry">The entry hash it claims; null when the line could not be read.</param>
public sealed record ChainLink(long Index, byte[]? Leaf, byte[]? Entry);

/// <summary>What is wrong with a log.</summary>
public enum ChainFault
{
    /// <summary>An entry is not what was written, or not at this index.</summary>
    Edited,

    /// <summary>An entry is gone.</summary>
    Missing,

    /// <summary>An entry stands where another one stands as well.</summary>
    Inserted,

    /// <summary>Entries stand in another order.</summary>
    Reordered,

    /// <summary>The end is gone: a known position lies beyond it, or an export has no end line.</summary>
    Truncated,

    /// <summary>The chain holds, but is not the one whose position is known: all of it was written anew, up to this index at least.</summary>
    Rewritten,

    /// <summary>A line is no entry.</summary>
    Malformed,

    /// <summary>The known position lies before the first entry, so it says nothing about these: verify an export that begins at or before it.</summary>
    Unmet,
}

/// <summary>The result of a verification.</summary>
/// <param name="Checked">How many entries were found good, from the first on.</param>
/// <param name="Head">The position after them.</param>
/// <param name="Fault">What is wrong; null when nothing is.</param>
/// <param name="BadIndex">The first bad index; null when nothing is wrong.</param>
public sealed record ChainReport(long Checked, AuditHead Head, ChainFault? Fault = null, long? BadIndex = null)
{
    /// <summary>True when every entry is good and the known position, if any, was met.</summary>
    public bool IsValid => Fault is null;

    /// <inheritdoc/>
    public override string ToString() => IsValid
        ? $"{Checked} entries are intact; the log's position is {Head}."
        : $"{Fault} at index {BadIndex}; {Checked} entries before it are intact.";
}

/// <summary>Verifies a hash chain without trusting whoever keeps it.</summary>
public static class ChainVerifier
{
    /// <summary>Verifies entries from a position on, and stops at the first bad one.</summary>
    /// <param name="start">The position before the first entry; see <see cref="StartOf"/>.</param>
    /// <param name="links">The entries as found.</param>
    /// <param name="known">A position remembered outside, which the chain must pass through.</param>
    public static async Task<ChainReport> VerifyAsync(
        AuditHead start, IAsyncEnumerable<ChainLink> links, AuditHead? known, CancellationToken cancellation)
    {
        var head = start;
        if (known is not null && known.Size < start.Size)
            return Bad(start, head, ChainFault.Unmet, start.Size);
        if (known is not null && known.Size == start.Size && !CryptographicOperations.FixedTimeEquals(start.Entry, known.Entry))
            return Bad(start, head, ChainFault.Rewritten, start.Size);
        await using var found = links.GetAsyncEnumerator(cancellation);
        while (await found.MoveNextAsync())
        {
            var (link, expected) = (found.Current, head.Size);
            if (link.Entry is null)
                return Bad(start, head, ChainFault.Malformed, expected);
            if (link.Index < expected)
                return Bad(start, head, ChainFault.Inserted, link.Index);
            if (link.Index > expected)
                return Bad(start, head, await OccursAsync(found, expected) ? ChainFault.Reordered : ChainFault.Missing, expected);
            if (link.Leaf is null)
                return Bad(start, head, ChainFault.Missing, expected);

            var entry = HashChain.Next(head.Entry, AuditLeaf.HashOf(link.Leaf), expected);
            if (!CryptographicOperations.FixedTimeEquals(entry, link.Entry))
                return Bad(start, head, await OccursAsync(found, expected) ? ChainFault.Inserted : ChainFault.Edited, expected);

            head = new(expected + 1, entry);
            if (known is not null && head.Size == known.Size && !CryptographicOperations.FixedTimeEquals(entry, known.Entry))
                return Bad(start, new(expected, head.Entry), ChainFault.Rewritten, expected);
        }
        return known is not null && known.Size > head.Size
            ? Bad(start, head, ChainFault.Truncated, head.Size)
            : new(head.Size - start.Size, head);
    }

    /// <summary>The position before a tenant's first entry.</summary>
    public static AuditHead StartOf(TenantId tenant) => new(0, HashChain.Genesis(tenant));

    private static ChainReport Bad(AuditHead start, AuditHead head, ChainFault fault, long index) =>
        new(head.Size - start.Size, head, fault, index);

    // The entry that belongs here comes later: that tells an order from a loss.
    private static async Task<bool> OccursAsync(IAsyncEnumerator<ChainLink> rest, long index)
    {
        while (await rest.MoveNextAsync())
        {
            if (rest.Current.Index == index)
                return true;
        }
        return false;
    }
}
