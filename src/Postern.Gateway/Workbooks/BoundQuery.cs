using System.Collections.Immutable;
using System.Diagnostics.CodeAnalysis;

namespace Postern.Gateway.Workbooks;

/// <summary>The type of a bound parameter, in words that every platform has.</summary>
[SuppressMessage("Naming", "CA1720", Justification = "These are the names the format itself uses.")]
public enum BoundType
{
    /// <summary>Text.</summary>
    String,
    /// <summary>32 bits, signed.</summary>
    Int,
    /// <summary>64 bits, signed.</summary>
    BigInt,
    /// <summary>64-bit floating point.</summary>
    Double,
    /// <summary><c>true</c> or <c>false</c>.</summary>
    Boolean,
    /// <summary><c>2001-01-31</c>.</summary>
    Date,
    /// <summary>ISO 8601.</summary>
    Timestamp,
}

/// <summary>A named value beside the SQL text.</summary>
/// <param name="Name">The name, without the colon.</param>
/// <param name="Type">The type.</param>
/// <param name="Value">The value as invariant text; null is SQL's NULL.</param>
public sealed record BoundParameter(string Name, BoundType Type, string? Value)
{
    /// <summary>Name and type; the value is nobody's business in a log.</summary>
    public override string ToString() => $":{Name} {Type}";
}

/// <summary>
/// A query ready to run: one of the constant texts its workbook was published with, and values beside it. Only
/// <see cref="PublishedWorkbook.Bind"/> makes one.
/// </summary>
public sealed class BoundQuery
{
    internal BoundQuery(PublishedQuery query, PublishedVariant variant, ImmutableArray<BoundParameter> parameters)
    {
        QueryName = query.Name;
        Sql = variant.Sql;
        SqlHash = variant.Hash;
        Parameters = parameters;
        Columns = query.Columns;
        Limit = query.Limit;
        Timeout = query.Timeout;
    }

    /// <summary>The query's name in its workbook.</summary>
    public string QueryName { get; }

    /// <summary>The published text, byte for byte, with <c>:name</c> parameters.</summary>
    public string Sql { get; }

    /// <summary>SHA-256 of <see cref="Sql"/> as UTF-8, in lower-case hex; events name it.</summary>
    public string SqlHash { get; }

    /// <summary>The values.</summary>
    public ImmutableArray<BoundParameter> Parameters { get; }

    /// <summary>What the result must look like.</summary>
    public ImmutableArray<ColumnContract> Columns { get; }

    /// <summary>Rows the result may have.</summary>
    public int Limit { get; }

    /// <summary>After this it is cancelled at the platform.</summary>
    public TimeSpan Timeout { get; }

    /// <summary>Name and hash; never SQL or values.</summary>
    public override string ToString() => $"{QueryName} {SqlHash}";
}
