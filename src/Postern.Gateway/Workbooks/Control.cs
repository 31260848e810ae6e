using System.Collections.Immutable;
using System.Text.Json.Serialization;

namespace Postern.Gateway.Workbooks;

/// <summary>Who may set a control.</summary>
public enum HostMaySet
{
    /// <summary>The viewer alone.</summary>
    Never,
    /// <summary>The host application gives a start value; the viewer may change it.</summary>
    Always,
    /// <summary>The host application alone, server to server; a value from the browser is refused.</summary>
    Locked,
}

/// <summary>Something a viewer can set. Its value reaches SQL as a bound parameter or chooses among texts its author wrote.</summary>
/// <param name="Name">Its name: a lower-case letter, then letters, digits and single underscores.</param>
/// <param name="Label">What people read.</param>
/// <param name="HostMaySet">Who may set it.</param>
[JsonPolymorphic(TypeDiscriminatorPropertyName = "type")]
[JsonDerivedType(typeof(DateRangeControl), "date_range")]
[JsonDerivedType(typeof(IntControl), "int")]
[JsonDerivedType(typeof(StringControl), "string")]
[JsonDerivedType(typeof(ChoiceControl), "choice")]
public abstract record Control(string Name, string Label, HostMaySet HostMaySet)
{
    /// <summary>True when the control may have no value, so that SQL may use it inside <c>[when …]</c> only.</summary>
    [JsonIgnore]
    public virtual bool Optional => false;
}

/// <summary>Days from one to another, the last one not included. SQL: <c>:name.from</c> and <c>:name.to</c>.</summary>
/// <param name="Default">What applies when nothing is sent.</param>
/// <param name="Min">The first day that may be asked for, or null.</param>
/// <param name="Max">The last day that may be asked for, or null.</param>
public sealed record DateRangeControl(string Name, string Label, HostMaySet HostMaySet, DateRangeDefault Default, DateOnly? Min, DateOnly? Max)
    : Control(Name, Label, HostMaySet);

/// <summary>The default of a date range: either fixed days or so much before an anchor.</summary>
/// <param name="From">The first day, of a fixed range.</param>
/// <param name="To">The day after the last one, of a fixed range.</param>
/// <param name="LastCount">How many units back, of a relative range.</param>
/// <param name="LastUnit"><c>d</c>, <c>w</c>, <c>m</c> or <c>y</c>, of a relative range.</param>
/// <param name="Anchor">The exclusive end of a relative range; null means through today (UTC).</param>
public sealed record DateRangeDefault(DateOnly? From, DateOnly? To, int LastCount, char LastUnit, DateOnly? Anchor)
{
    /// <summary>The days this means at a moment.</summary>
    public (DateOnly From, DateOnly To) Resolve(TimeProvider clock)
    {
        if (From is { } from && To is { } to)
            return (from, to);
        var end = Anchor ?? DateOnly.FromDateTime(clock.GetUtcNow().UtcDateTime).AddDays(1);
        return (LastUnit switch
        {
            'd' => end.AddDays(-LastCount),
            'w' => end.AddDays(-7 * LastCount),
            'm' => end.AddMonths(-LastCount),
            _ => end.AddYears(-LastCount),
        }, end);
    }
}

/// <summary>A whole number. SQL: <c>:name</c>.</summary>
public sealed record IntControl(string Name, string Label, HostMaySet HostMaySet, long Default, long Min, long Max)
    : Control(Name, Label, HostMaySet);

/// <summary>One text or, with <paramref name="Many"/>, a list of them. SQL: <c>:name</c>, or <c>IN (:name)</c> for a list.</summary>
/// <param name="Default">Of a single text: what applies when nothing is sent. Of a list: what viewers start with; what applies only when it is locked.</param>
/// <param name="Many">A list.</param>
/// <param name="MaxItems">The longest list, 1 to 64; 1 for a single text.</param>
/// <param name="MaxLength">The longest text, in UTF-16 units.</param>
/// <param name="Options">Where the suggestions come from, or null.</param>
public sealed record StringControl(
    string Name, string Label, HostMaySet HostMaySet, ImmutableArray<string> Default, bool Many, int MaxItems, int MaxLength, ControlOptions? Options)
    : Control(Name, Label, HostMaySet)
{
    /// <inheritdoc/>
    public override bool Optional => Many || Default.IsEmpty;
}

/// <summary>Suggestions for a control, read by a query of the workbook under the viewer's own identity.</summary>
/// <param name="Query">The query.</param>
/// <param name="Value">The column that is sent.</param>
/// <param name="Label">The column that is shown; null shows the value.</param>
public sealed record ControlOptions(string Query, string Value, string? Label);

/// <summary>One of a few SQL fragments that the author wrote. The browser sends the key. SQL: <c>[name]</c>.</summary>
/// <param name="Default">The key that applies when nothing is sent.</param>
/// <param name="Choices">The choices, in order.</param>
public sealed record ChoiceControl(string Name, string Label, HostMaySet HostMaySet, string Default, ImmutableArray<Choice> Choices)
    : Control(Name, Label, HostMaySet);

/// <summary>One choice.</summary>
/// <param name="Key">What the browser sends.</param>
/// <param name="Label">What people read.</param>
/// <param name="Sql">The constant fragment it stands for.</param>
public sealed record Choice(string Key, string Label, string Sql);
