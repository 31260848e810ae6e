using System.Collections.Immutable;
using System.Diagnostics.CodeAnalysis;
using System.Text.Json.Nodes;
using System.Text.Json.Serialization;
using Postern.Model;

namespace Postern.Gateway.Workbooks;

/// <summary>A workbook file that was read and is consistent in itself; nothing is compiled yet.</summary>
/// <param name="Id">Its name, from <c>workbook:</c>.</param>
/// <param name="Title">Its title.</param>
/// <param name="Connection">The connection it runs on.</param>
/// <param name="Identities">The identities it accepts; there is no falling back to another.</param>
/// <param name="Policies">For <c>service</c>: the row policies its SQL is published with.</param>
/// <param name="Controls">Controls by name, in the order of the file.</param>
/// <param name="Queries">Queries by name, in the order of the file.</param>
/// <param name="Pages">Pages in order.</param>
public sealed record Workbook(
    WorkbookId Id,
    string Title,
    ConnectionId Connection,
    ImmutableArray<IdentityMode> Identities,
    ImmutableArray<string> Policies,
    ImmutableArray<Control> Controls,
    ImmutableArray<QueryDefinition> Queries,
    ImmutableArray<Page> Pages)
{
    /// <summary>The control of that name, or null.</summary>
    public Control? FindControl(string name) => Controls.FirstOrDefault(control => string.Equals(control.Name, name, StringComparison.Ordinal));
}

/// <summary>A query as its author wrote it.</summary>
/// <param name="Name">Its name.</param>
/// <param name="Sql">SQL with named parameters and the three bracket forms.</param>
/// <param name="Bind">The controls it uses, declared; checked against the SQL.</param>
/// <param name="Columns">What every result must look like.</param>
/// <param name="Limit">Rows a result may have.</param>
/// <param name="Timeout">After this it is cancelled at the platform.</param>
public sealed record QueryDefinition(
    string Name,
    string Sql,
    ImmutableArray<string> Bind,
    ImmutableArray<ColumnContract> Columns,
    int Limit,
    TimeSpan Timeout);

/// <summary>The type of a result column in the contract.</summary>
[SuppressMessage("Naming", "CA1720", Justification = "These are the names the format itself uses.")]
public enum ColumnType
{
    /// <summary>A calendar date.</summary>
    Date,
    /// <summary>Text.</summary>
    String,
    /// <summary>A whole number.</summary>
    Int,
    /// <summary>A number with a fraction; whole numbers are accepted too.</summary>
    Float,
    /// <summary>True or false.</summary>
    Bool,
    /// <summary>A moment.</summary>
    Timestamp,
}

/// <summary>One column every result of a query must have.</summary>
/// <param name="Name">Its name.</param>
/// <param name="Type">Its type.</param>
/// <param name="Label">What people read instead of the name.</param>
/// <param name="Format">A d3-format or d3-time-format pattern, or null.</param>
public sealed record ColumnContract(string Name, ColumnType Type, string? Label = null, string? Format = null);

/// <summary>A page of tiles.</summary>
/// <param name="Id">Its name, unique in the workbook.</param>
/// <param name="Title">Its title.</param>
/// <param name="Controls">The controls it shows, in order.</param>
/// <param name="Rows">Rows of tiles, top to bottom, left to right.</param>
public sealed record Page(string Id, string Title, ImmutableArray<string> Controls, ImmutableArray<ImmutableArray<Tile>> Rows);

/// <summary>What one tile shows.</summary>
/// <param name="Query">The query that feeds it.</param>
/// <param name="Title">Its title.</param>
/// <param name="Describe">A sentence for those who do not see the picture.</param>
/// <param name="Span">Width in twelfths of the row, 1 to 12; null shares evenly.</param>
[JsonPolymorphic(TypeDiscriminatorPropertyName = "kind")]
[JsonDerivedType(typeof(ValueTile), "value")]
[JsonDerivedType(typeof(ChartTile), "chart")]
[JsonDerivedType(typeof(TableTile), "table")]
public abstract record Tile(string Query, string Title, string? Describe, int? Span);

/// <summary>One number.</summary>
/// <param name="Field">The column whose first row is shown.</param>
/// <param name="Format">A d3-format pattern, or null.</param>
public sealed record ValueTile(string Query, string Title, string? Describe, int? Span, string Field, string? Format)
    : Tile(Query, Title, Describe, Span);

/// <summary>A chart.</summary>
/// <param name="Spec">In a <see cref="Workbook"/> Vega-Lite without data; in a <see cref="PublishedWorkbook"/> the name (hash) of a compiled Vega spec.</param>
public sealed record ChartTile(string Query, string Title, string? Describe, int? Span, JsonNode Spec)
    : Tile(Query, Title, Describe, Span);

/// <summary>A table.</summary>
/// <param name="Columns">The columns shown, in order.</param>
/// <param name="PageSize">Rows shown at once.</param>
/// <param name="Export">Formats offered for download: <c>csv</c>, <c>arrow</c>.</param>
public sealed record TableTile(
    string Query, string Title, string? Describe, int? Span, ImmutableArray<string> Columns, int PageSize, ImmutableArray<string> Export)
    : Tile(Query, Title, Describe, Span);
