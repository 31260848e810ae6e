using System.Collections.Concurrent;
using System.Security.Cryptography;

namespace Skyline;

/// <summary>A customer of Skyline. Staff have accounts at the data platform; the partner's people have none.</summary>
public sealed record Customer(string Name, string Path, string Workbook, string EmbedKey, string Headline, string Lead)
{
    public static readonly Customer Operations = new(
        "Skyline Operations", "/operations", "flight_delays", "skyline",
        "Departure delays", "Each colleague sees the departures that the data platform lets them see.");

    public static readonly Customer Partner = new(
        "Lone Star Freight", "/partner", "partner_delays", "skyline-partners",
        "Departures near you", "Shown for the states in your contract. No account at the data platform is needed.");

    public static IReadOnlyList<Customer> All { get; } = [Operations, Partner];
}

/// <summary>Somebody who uses Skyline. What is said here is what Skyline asserts to Postern.</summary>
public sealed record Person(string Id, string Name, string Email, Customer Customer, string Note, string[]? States = null);

public static class People
{
    public static IReadOnlyList<Person> All { get; } =
    [
        new("ana", "Ana Ortega", "ana@skyline.example", Customer.Operations, "Operations, California"),
        new("ben", "Ben Whitfield", "ben@skyline.example", Customer.Operations, "Operations, Texas"),
        new("chloe", "Chloe Laurent", "chloe@skyline.example", Customer.Operations, "Head of operations, all states"),
        new("pat", "Pat Moreno", "pat@lonestar.example", Customer.Partner, "Partner, Texas and New Mexico", ["TX", "NM"]),
        new("kim", "Kim Sato", "kim@lonestar.example", Customer.Partner, "Partner, Washington", ["WA"]),
    ];

    public static Person? Find(string id) => All.FirstOrDefault(person => person.Id == id);
}

/// <summary>Skyline's own sessions: an opaque cookie of Skyline's site, unknown to Postern.</summary>
public sealed class PortalSessions
{
    private const string Cookie = "skyline";
    private readonly ConcurrentDictionary<string, Person> people = new();

    public Person? Find(HttpContext context) =>
        context.Request.Cookies.TryGetValue(Cookie, out var id) && people.TryGetValue(id, out var person) ? person : null;

    public Person Begin(HttpContext context, Person person)
    {
        End(context);
        var id = Convert.ToHexString(RandomNumberGenerator.GetBytes(32));
        people[id] = person;
        context.Response.Cookies.Append(Cookie, id, new() { HttpOnly = true, SameSite = SameSiteMode.Lax, Path = "/" });
        return person;
    }

    public void End(HttpContext context)
    {
        if (context.Request.Cookies.TryGetValue(Cookie, out var id))
            people.TryRemove(id, out _);
        context.Response.Cookies.Delete(Cookie);
    }
}
