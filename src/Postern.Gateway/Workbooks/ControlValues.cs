using System.Collections.Immutable;
using System.Globalization;
using System.Text.Json;
using Postern.Model;

namespace Postern.Gateway.Workbooks;

/// <summary>A control's value after all checks.</summary>
internal abstract record ControlValue
{
    private ControlValue()
    {
    }

    public sealed record Days(DateOnly From, DateOnly To) : ControlValue;

    public sealed record Number(long Value) : ControlValue;

    public sealed record Texts(ImmutableArray<string> Items) : ControlValue;

    public sealed record Key(string Value) : ControlValue;
}

/// <summary>
/// Reads the values a browser and a host application sent. Everything is checked, also controls the query at hand does not use: a
/// request that names an unknown control, or sends a locked one, is refused as a whole.
/// </summary>
internal static class ControlValues
{
    /// <summary>The longest values object that is looked at, in members; more cannot name controls that exist.</summary>
    public const int MaxMembers = 200;

    /// <summary>The value of every control: the browser's, else the host's, else the default.</summary>
    public static Outcome<IReadOnlyDictionary<string, ControlValue>> Read(
        ImmutableArray<Control> controls, JsonElement fromBrowser, JsonElement? fromHost, TimeProvider clock)
    {
        var values = new Dictionary<string, ControlValue>(StringComparer.Ordinal);
        foreach (var control in controls)
            values[control.Name] = DefaultOf(control, clock);

        if (fromHost is { } host && Apply(controls, host, byHost: true, values) is { } hostRefusal)
            return hostRefusal;
        if (Apply(controls, fromBrowser, byHost: false, values) is { } refusal)
            return refusal;
        return values;
    }

    private static Refusal? Apply(ImmutableArray<Control> controls, JsonElement sent, bool byHost, Dictionary<string, ControlValue> values)
    {
        if (sent.ValueKind is JsonValueKind.Undefined or JsonValueKind.Null)
            return null;
        if (sent.ValueKind != JsonValueKind.Object)
            return Refused("controls", "send an object of control names to values");

        var seen = new HashSet<string>(StringComparer.Ordinal);
        foreach (var member in sent.EnumerateObject())
        {
            if (!seen.Add(member.Name) || seen.Count > MaxMembers)
                return Refused("controls", "send each control once");
            var control = controls.FirstOrDefault(candidate => string.Equals(candidate.Name, member.Name, StringComparison.Ordinal));
            if (control is null)
                return new Refusal(RefusalKind.InvalidRequest, "A control was sent that this workbook does not have.") { Code = "control-unknown" };
            if (!byHost && control.HostMaySet == HostMaySet.Locked || byHost && control.HostMaySet == HostMaySet.Never)
            {
                return new Refusal(RefusalKind.InvalidRequest, $"The control '{control.Name}' cannot be set from here.") { Code = "control-locked" };
            }
            if (!Read(control, member.Value).TryGet(out var value, out var refusal))
                return refusal;
            values[control.Name] = value;
        }
        return null;
    }

    private static ControlValue DefaultOf(Control control, TimeProvider clock) => control switch
    {
        DateRangeControl range => range.Default.Resolve(clock) is var (from, to) ? new ControlValue.Days(from, to) : throw new InvalidOperationException(),
        IntControl number => new ControlValue.Number(number.Default),
        // A list that is not sent is not applied: its default is what viewers start with, unless they cannot set it.
        StringControl { Many: true, HostMaySet: not HostMaySet.Locked } => new ControlValue.Texts([]),
        StringControl text => new ControlValue.Texts(text.Default),
        ChoiceControl choice => new ControlValue.Key(choice.Default),
        _ => throw new InvalidOperationException("A control type without a default."),
    };

    private static Outcome<ControlValue> Read(Control control, JsonElement value) => control switch
    {
        DateRangeControl range => ReadDays(range, value),
        IntControl number => ReadNumber(number, value),
        StringControl { Many: true } list => ReadList(list, value),
        StringControl text => ReadText(text, value),
        ChoiceControl choice => ReadKey(choice, value),
        _ => throw new InvalidOperationException("A control type that cannot be read."),
    };

    private static Outcome<ControlValue> ReadDays(DateRangeControl range, JsonElement value)
    {
        const string Expected = "send {\"from\":\"2001-01-01\",\"to\":\"2001-04-01\"}, 'to' being the day after the last one";
        if (value.ValueKind != JsonValueKind.Object || value.GetPropertyCount() != 2
            || !value.TryGetProperty("from", out var fromText) || !value.TryGetProperty("to", out var toText)
            || !TryDay(fromText, out var from) || !TryDay(toText, out var to))
        {
            return Refused(range.Name, Expected);
        }
        if (from >= to)
            return Refused(range.Name, "'from' must lie before 'to'");
        if (range.Min is { } min && from < min)
            return Refused(range.Name, $"'from' may not lie before {Text(min)}");
        if (range.Max is { } max && to > max.AddDays(1))
            return Refused(range.Name, $"the last day may not lie after {Text(max)}");
        return new ControlValue.Days(from, to);
    }

    private static bool TryDay(JsonElement element, out DateOnly day)
    {
        day = default;
        return element.ValueKind == JsonValueKind.String
            && TryString(element, out var text)
            && DateOnly.TryParseExact(text, "yyyy-MM-dd", CultureInfo.InvariantCulture, DateTimeStyles.None, out day);
    }

    private static Outcome<ControlValue> ReadNumber(IntControl number, JsonElement value) =>
        value.ValueKind == JsonValueKind.Number && value.TryGetInt64(out var read) && read >= number.Min && read <= number.Max
            ? new ControlValue.Number(read)
            : Refused(number.Name, $"send a whole number from {Text(number.Min)} to {Text(number.Max)}");

    private static Outcome<ControlValue> ReadText(StringControl control, JsonElement value)
    {
        if (value.ValueKind == JsonValueKind.Null)
            return new ControlValue.Texts(control.Default);
        return TryItem(control, value, out var text)
            ? new ControlValue.Texts(text.Length == 0 ? control.Default : [text])
            : Refused(control.Name, $"send a text of at most {Text(control.MaxLength)} characters without control characters");
    }

    private static Outcome<ControlValue> ReadList(StringControl control, JsonElement value)
    {
        var expected = $"send a list of at most {Text(control.MaxItems)} texts, each of 1 to {Text(control.MaxLength)} characters without control characters";
        if (value.ValueKind == JsonValueKind.Null)
            return new ControlValue.Texts([]);
        if (value.ValueKind != JsonValueKind.Array || value.GetArrayLength() > control.MaxItems)
            return Refused(control.Name, expected);
        var items = ImmutableArray.CreateBuilder<string>();
        foreach (var element in value.EnumerateArray())
        {
            if (!TryItem(control, element, out var item) || item.Length == 0)
                return Refused(control.Name, expected);
            if (!items.Contains(item))
                items.Add(item);
        }
        return new ControlValue.Texts(items.ToImmutable());
    }

    private static bool TryItem(StringControl control, JsonElement element, out string text)
    {
        text = "";
        if (element.ValueKind != JsonValueKind.String || !TryString(element, out text) || text.Length > control.MaxLength)
            return false;
        foreach (var c in text)
        {
            if (char.IsControl(c))
                return false;
        }
        return true;
    }

    // GetString throws on escaped lone surrogates, which no platform takes as text.
    private static bool TryString(JsonElement element, out string text)
    {
        try
        {
            text = element.GetString() ?? "";
            return true;
        }
        catch (InvalidOperationException)
        {
            text = "";
            return false;
        }
    }

    private static Outcome<ControlValue> ReadKey(ChoiceControl choice, JsonElement value) =>
        value.ValueKind == JsonValueKind.String && TryString(value, out var key)
            && choice.Choices.Any(candidate => string.Equals(candidate.Key, key, StringComparison.Ordinal))
            ? new ControlValue.Key(key)
            : Refused(choice.Name, $"send one of {string.Join(", ", choice.Choices.Select(candidate => candidate.Key))}");

    // The detail names the control and what it accepts, never what was sent: an error page must not echo input.
    private static Refusal Refused(string control, string expected) =>
        new(RefusalKind.InvalidRequest, $"The value of '{control}' is not acceptable: {expected}.") { Code = "control-invalid" };

    private static string Text(DateOnly day) => day.ToString("yyyy-MM-dd", CultureInfo.InvariantCulture);

    private static string Text(long number) => number.ToString(CultureInfo.InvariantCulture);
}
