namespace Postern.Sandbox.Platform;

/// <summary>Whose eyes look at the data: what row filters, masks and grants are decided by.</summary>
/// <param name="Identity">The stable identity that owns statements: an email address or <c>service:</c> and the client.</param>
/// <param name="UserName">What <c>current_user()</c> says.</param>
/// <param name="States">The states whose flights are visible; null means all.</param>
/// <param name="Admin">Whether masks are lifted.</param>
internal sealed record Viewer(string Identity, string UserName, IReadOnlyList<string>? States, bool Admin)
{
    /// <summary>A person sees by their states; a service principal sees all rows, but behind the masks.</summary>
    public static Viewer Of(Caller caller) => caller.User is { } user
        ? new(user.Email, user.Email, user.States, user.Admin)
        : new($"service:{caller.Client}", caller.Client, States: null, Admin: false);
}

/// <summary>A column as loaded: its type, and what a masked viewer gets in its place.</summary>
/// <param name="Name">The name.</param>
/// <param name="Type">The type, in the engine's words.</param>
/// <param name="Mask">The expression for viewers behind the mask; null when the column has none.</param>
internal sealed record Column(string Name, string Type, string? Mask = null);

/// <summary>A table: its file, its columns, its row filter and who was granted SELECT on it.</summary>
internal sealed record Table(
    string Name,
    string File,
    IReadOnlyList<Column> Columns,
    Func<Viewer, bool> Granted,
    Func<Viewer, string?> RowFilter)
{
    /// <summary>The name people are told.</summary>
    public string FullName => $"{Catalog.Name}.{Catalog.Schema}.{Name}";
}

/// <summary>
/// The whole Unity-Catalog-shaped policy of the demo, in one place. Tables load in this order, and a filter may read the tables
/// before it. A viewer's engine holds only what is left after grants, filters and masks, so no statement can reach the rest.
/// </summary>
internal static class Catalog
{
    /// <summary>The catalog.</summary>
    public const string Name = "main";

    /// <summary>The schema.</summary>
    public const string Schema = "demo";

    /// <summary>The tables, in loading order.</summary>
    public static IReadOnlyList<Table> Tables { get; } =
    [
        new("airports", "airports.csv",
            [
                new("iata", "VARCHAR"), new("name", "VARCHAR"), new("city", "VARCHAR"), new("state", "VARCHAR"), new("country", "VARCHAR"),
                // Mask: who is no administrator gets positions to the whole degree, good enough for a map and no better.
                new("latitude", "DOUBLE", Mask: "round(latitude, 0)"),
                new("longitude", "DOUBLE", Mask: "round(longitude, 0)"),
            ],
            Granted: _ => true,
            RowFilter: _ => null),
        new("flights", "flights-3m.parquet",
            [
                new("date", "TIMESTAMP"), new("delay", "INTEGER"), new("distance", "INTEGER"),
                new("origin", "VARCHAR"), new("destination", "VARCHAR"),
            ],
            Granted: _ => true,
            // Row filter: flights that leave from the viewer's states.
            RowFilter: viewer => viewer.States switch
            {
                null => null,
                [] => "false", // no state, no row
                _ => $"origin IN (SELECT iata FROM {Schema}.airports WHERE state IN ({string.Join(", ", viewer.States.Select(Literal))}))",
            }),
        new("routes", "flights-airport.csv",
            [new("origin", "VARCHAR"), new("destination", "VARCHAR"), new("count", "INTEGER")],
            // Counts over all states: granted to those who may see all states.
            Granted: viewer => viewer.States is null,
            RowFilter: _ => null),
    ];

    /// <summary>The table of that name (compared as the engine compares), or null.</summary>
    public static Table? Find(string name) => Tables.FirstOrDefault(table => table.Name == Sql.Ascii.Fold(name));

    /// <summary>A SQL string literal.</summary>
    public static string Literal(string text) => $"'{text.Replace("'", "''", StringComparison.Ordinal)}'";
}
