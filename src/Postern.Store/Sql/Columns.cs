using System.Data.Common;
using System.Globalization;
using Postern.Model;

namespace Postern.Store;

/// <summary>The columns of the current row by name, as the types of the model.</summary>
internal readonly struct Columns(DbDataReader reader)
{
    public string Text(string column) => reader.GetString(reader.GetOrdinal(column));

    public string? TextOrNull(string column) => At(column, out var i) ? reader.GetString(i) : null;

    public long Number(string column) => reader.GetInt64(reader.GetOrdinal(column));

    public long? NumberOrNull(string column) => At(column, out var i) ? reader.GetInt64(i) : null;

    public int Int(string column) => checked((int)Number(column));

    public bool Flag(string column) => Number(column) != 0;

    public byte[] Bytes(string column) => (byte[])reader.GetValue(reader.GetOrdinal(column));

    public byte[]? BytesOrNull(string column) => At(column, out var i) ? (byte[])reader.GetValue(i) : null;

    public DateTimeOffset Time(string column) => DateTimeOffset.FromUnixTimeMilliseconds(Number(column));

    public DateTimeOffset? TimeOrNull(string column) =>
        NumberOrNull(column) is { } ms ? DateTimeOffset.FromUnixTimeMilliseconds(ms) : null;

    public Guid Id(string column) => Guid.Parse(Text(column), CultureInfo.InvariantCulture);

    public TenantId Tenant() => TenantId.Parse(Text("tenant"));

    public ConnectionId Connection() => ConnectionId.Parse(Text("connection"));

    public SubjectKey Subject() => new(Tenant(), Text("subject_authority"), Text("subject_id"));

    public SecretHash Hash(string column) => SecretHash.FromHex(Text(column));

    public SecretHash? HashOrNull(string column) => TextOrNull(column) is { } hex ? SecretHash.FromHex(hex) : null;

    private bool At(string column, out int ordinal)
    {
        ordinal = reader.GetOrdinal(column);
        return !reader.IsDBNull(ordinal);
    }
}

/// <summary>Model types on their way into parameters.</summary>
internal static class ParameterExtensions
{
    public static long ToMs(this DateTimeOffset time) => time.ToUnixTimeMilliseconds();

    public static long? ToMs(this DateTimeOffset? time) => time?.ToUnixTimeMilliseconds();

    public static long ToMs(this TimeSpan span) => (long)span.TotalMilliseconds;
}
