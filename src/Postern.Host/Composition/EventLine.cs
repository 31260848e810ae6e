using System.Collections;
using System.Globalization;
using System.Text;
using Postern.Model;

namespace Postern.Host.Composition;

/// <summary>
/// An event as the state of a log entry: only what it has, as fields for structured logs and as one line
/// <c>Kind tenant=… connection=… fact=…</c> for people.
/// </summary>
internal sealed class EventLine : IReadOnlyList<KeyValuePair<string, object?>>
{
    private readonly List<KeyValuePair<string, object?>> fields = new(12);

    public EventLine(AuditEvent told)
    {
        Add("kind", told.Kind.ToString());
        Add("tenant", told.Tenant.Value);
        Add("subject", told.Subject?.Id);
        Add("connection", told.Connection?.Value);
        Add("grant", told.Grant?.ToString());
        Add("generation", told.Generation?.ToString(CultureInfo.InvariantCulture));
        Add("principal", told.Principal?.Name);
        Add("run", told.Query?.ToString());
        Add("code", told.Code);
        Add("actor", told.Actor);
        foreach (var (name, value) in told.Facts)
            Add(name, value);
    }

    public int Count => fields.Count;

    public KeyValuePair<string, object?> this[int index] => fields[index];

    public IEnumerator<KeyValuePair<string, object?>> GetEnumerator() => fields.GetEnumerator();

    IEnumerator IEnumerable.GetEnumerator() => GetEnumerator();

    public override string ToString()
    {
        var line = new StringBuilder(256).Append(fields[0].Value);
        foreach (var (name, value) in fields.Skip(1))
            line.Append(' ').Append(name).Append('=').Append(value);
        return line.ToString();
    }

    // Names come from host applications and platforms too: a line break or an escape sequence would write lines of its own.
    private void Add(string name, string? value)
    {
        if (!string.IsNullOrEmpty(value))
            fields.Add(new(name, Plain(value)));
    }

    private static string Plain(string value)
    {
        if (!value.Any(Breaks))
            return value;
        return '"' + string.Concat(value.Select(c => char.IsControl(c) || c is '\u2028' or '\u2029' ? "?" : c == '"' ? "'" : c.ToString())) + '"';
    }

    private static bool Breaks(char c) => char.IsControl(c) || c is ' ' or '"' or '=' or '\u2028' or '\u2029';
}
