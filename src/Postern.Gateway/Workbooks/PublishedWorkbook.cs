using System.Collections.Immutable;
using System.Diagnostics.CodeAnalysis;
using System.Text.Json;
using System.Text.Json.Serialization;
using Postern.Model;
using Postern.Policy;

namespace Postern.Gateway.Workbooks;

/// <summary>One constant SQL text of a query.</summary>
/// <param name="Key">Which situation it is for, such as <c>grain=month;states=4</c>; empty when there is only one.</param>
/// <param name="Sql">The text.</param>
/// <param name="Hash">SHA-256 of the text as UTF-8, in lower-case hex.</param>
/// <param name="Parameters">Where its parameters' values come from.</param>
public sealed record PublishedVariant(string Key, string Sql, string Hash, ImmutableArray<ParameterSource> Parameters);

/// <summary>Where a parameter's value comes from.</summary>
/// <param name="Name">The parameter's name in the SQL.</param>
/// <param name="Type">Its type.</param>
/// <param name="Kind">A control or a subject attribute.</param>
/// <param name="From">The name of the control or attribute.</param>
/// <param name="Part">For a date range <c>from</c> or <c>to</c>; null otherwise.</param>
/// <param name="Index">For lists which item; lists shorter than that repeat their last item.</param>
public sealed record ParameterSource(string Name, BoundType Type, ParameterKind Kind, string From, string? Part = null, int Index = 0);

/// <summary>What a parameter's value comes from.</summary>
public enum ParameterKind
{
    /// <summary>A control of the workbook.</summary>
    Control,
    /// <summary>An attribute of the subject; asserted by the authority, never by the browser.</summary>
    Attribute,
}

/// <summary>What decides between the texts of a query.</summary>
/// <param name="Kind">A control or a subject attribute.</param>
/// <param name="Name">The name of the control or attribute.</param>
/// <param name="Buckets">For lists: the sizes there are texts for, ascending; empty otherwise.</param>
public sealed record VariantAxis(ParameterKind Kind, string Name, ImmutableArray<int> Buckets);

/// <summary>A query with all its texts.</summary>
public sealed record PublishedQuery(
    string Name,
    ImmutableArray<string> Bind,
    ImmutableArray<ColumnContract> Columns,
    int Limit,
    TimeSpan Timeout,
    ImmutableArray<VariantAxis> Axes,
    ImmutableArray<PublishedVariant> Variants,
    ImmutableArray<PolicyStamp> Policies,
    ImmutableArray<string> OpenNames);

/// <summary>A compiled chart.</summary>
/// <param name="Hash">SHA-256 of <paramref name="Vega"/>, in lower-case hex; tiles name it.</param>
/// <param name="Vega">The Vega specification; its data source is named <c>rows</c>.</param>
public sealed record CompiledChart(string Hash, string Vega);

/// <summary>
/// A workbook as the gateway runs it: finite, constant, hashed. Made by <see cref="WorkbookPublisher"/>, kept by the store as
/// <see cref="ToBody"/>, read back by <see cref="TryRead"/>.
/// </summary>
public sealed record PublishedWorkbook(
    WorkbookId Id,
    string Title,
    ConnectionId Connection,
    ImmutableArray<IdentityMode> Identities,
    string SourceHash,
    ImmutableArray<Control> Controls,
    ImmutableArray<PublishedQuery> Queries,
    ImmutableArray<Page> Pages,
    ImmutableArray<CompiledChart> Charts)
{
    /// <summary>The revision of the definition row it was read from; 0 before it was stored. Not part of the body.</summary>
    [JsonIgnore]
    public long Revision { get; init; }

    /// <summary>The query of that name, or null.</summary>
    public PublishedQuery? FindQuery(string name) => Queries.FirstOrDefault(query => string.Equals(query.Name, name, StringComparison.Ordinal));

    /// <summary>What <see cref="QueryPolicy.Judge"/> needs to know of a query, or null when there is none of that name.</summary>
    public WorkbookQuery? ForPolicy(string query) => FindQuery(query) is { } found
        ? new WorkbookQuery(Id, Revision, found.Name, Connection, Identities, found.Policies, found.OpenNames)
        : null;

    /// <summary>
    /// Chooses the text and the values for one run. Whatever the browser sends, the text is one of those published.
    /// </summary>
    /// <param name="permitted">The ticket: names the query and the subject whose attributes are bound.</param>
    /// <param name="controls">From the browser: an object of control names to values; undefined or null means none.</param>
    /// <param name="clock">For defaults that are relative to today.</param>
    /// <param name="fromHost">From the host application's back end, in the same shape; null when it gave none.</param>
    /// <returns><see cref="RefusalKind.InvalidRequest"/> naming the control and what it accepts.</returns>
    public Outcome<BoundQuery> Bind(PermittedQuery permitted, JsonElement controls, TimeProvider clock, JsonElement? fromHost = null)
    {
        if (permitted.Workbook != Id || permitted.WorkbookRevision != Revision || permitted.Query is not { } name || FindQuery(name) is not { } query)
            return new Refusal(RefusalKind.Conflict, "The workbook changed in this moment; load it again.") { Code = "workbook-changed" };
        return ControlValues.Read(Controls, controls, fromHost, clock).TryGet(out var values, out var refusal)
            ? QueryBinder.Bind(query, values, permitted.Subject)
            : refusal;
    }

    /// <summary>The JSON body that the store keeps.</summary>
    public string ToBody() => JsonSerializer.Serialize(this, WorkbookJson.Options);

    /// <summary>Reads a body back; false when it is no such body or one of its texts does not fit its hash.</summary>
    public static bool TryRead(string body, long revision, [NotNullWhen(true)] out PublishedWorkbook? workbook)
    {
        workbook = null;
        try
        {
            if (JsonSerializer.Deserialize<PublishedWorkbook>(body, WorkbookJson.Options) is not { } read || !read.HashesFit())
                return false;
            workbook = read with { Revision = revision };
            return true;
        }
        catch (Exception e) when (e is JsonException or NotSupportedException or FormatException)
        {
            return false;
        }
    }

    /// <summary>True when it was published from exactly this text.</summary>
    public bool IsPublishedFrom(string text) => string.Equals(SourceHash, Sha256.Hex(text), StringComparison.Ordinal);

    private bool HashesFit() =>
        Queries.All(query => query.Variants.All(variant => string.Equals(variant.Hash, Sha256.Hex(variant.Sql), StringComparison.Ordinal)))
        && Charts.All(chart => string.Equals(chart.Hash, Sha256.Hex(chart.Vega), StringComparison.Ordinal));
}
