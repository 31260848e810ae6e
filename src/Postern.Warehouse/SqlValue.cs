namespace Postern.Warehouse;

/// <summary>The types a statement parameter may have; every dialect has them.</summary>
public enum SqlType
{
    /// <summary>Text of any length.</summary>
    String,
    /// <summary>A whole number of 64 bits.</summary>
    Int,
    /// <summary>A binary floating-point number of 64 bits.</summary>
    Float,
    /// <summary>True or false.</summary>
    Bool,
    /// <summary>A calendar day.</summary>
    Date,
    /// <summary>An instant, to the microsecond.</summary>
    Timestamp,
}

/// <summary>The value of one statement parameter: a closed union. It prints its type only, never its content.</summary>
public abstract record SqlValue
{
    private SqlValue(SqlType type) => Type = type;

    /// <summary>The SQL type it is bound as.</summary>
    public SqlType Type { get; }

    /// <inheritdoc/>
    public sealed override string ToString() => $"{Type} [redacted]";

    /// <summary>Text.</summary>
    public sealed record Text(string Value) : SqlValue(SqlType.String);

    /// <summary>A whole number.</summary>
    public sealed record Whole(long Value) : SqlValue(SqlType.Int);

    /// <summary>A floating-point number.</summary>
    public sealed record Real(double Value) : SqlValue(SqlType.Float);

    /// <summary>True or false.</summary>
    public sealed record Flag(bool Value) : SqlValue(SqlType.Bool);

    /// <summary>A calendar day.</summary>
    public sealed record Day(DateOnly Value) : SqlValue(SqlType.Date);

    /// <summary>An instant; sent in UTC.</summary>
    public sealed record Moment(DateTimeOffset Value) : SqlValue(SqlType.Timestamp);

    /// <summary>SQL NULL of a type.</summary>
    public sealed record Missing(SqlType Of) : SqlValue(Of);

    /// <summary>Text.</summary>
    public static implicit operator SqlValue(string value) => new Text(value);

    /// <summary>A whole number.</summary>
    public static implicit operator SqlValue(long value) => new Whole(value);

    /// <summary>A floating-point number.</summary>
    public static implicit operator SqlValue(double value) => new Real(value);

    /// <summary>True or false.</summary>
    public static implicit operator SqlValue(bool value) => new Flag(value);

    /// <summary>A calendar day.</summary>
    public static implicit operator SqlValue(DateOnly value) => new Day(value);

    /// <summary>An instant.</summary>
    public static implicit operator SqlValue(DateTimeOffset value) => new Moment(value);
}

/// <summary>One named parameter; the statement's text refers to it as <c>:name</c>.</summary>
/// <param name="Name">The name without the colon.</param>
/// <param name="Value">What is bound; it is never pasted into the text.</param>
public sealed record StatementParameter(string Name, SqlValue Value);
