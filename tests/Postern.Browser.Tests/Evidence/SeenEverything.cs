using System.Collections.Concurrent;

namespace Postern.Browser.Tests.Evidence;

/// <summary>Where a text was seen. The canary's rules are about places.</summary>
public enum Place
{
    /// <summary>The address of a request.</summary>
    Url,
    /// <summary>The <c>Location</c> header of a response.</summary>
    Location,
    /// <summary>A <c>Cookie</c> or <c>Set-Cookie</c> header.</summary>
    CookieHeader,
    /// <summary>Any other header.</summary>
    Header,
    /// <summary>The body of a request.</summary>
    RequestBody,
    /// <summary>The body of a response.</summary>
    ResponseBody,
    /// <summary><c>localStorage</c>, <c>sessionStorage</c>, and cookies that scripts can read.</summary>
    Storage,
    /// <summary>What a server printed.</summary>
    Output,
    /// <summary>The exported audit trail.</summary>
    Audit,
    /// <summary>The bytes of the gateway's database.</summary>
    Database,
}

/// <summary>A text and where it was.</summary>
/// <param name="Source">The address, or the name of the server or file.</param>
public sealed record Sighting(Place Place, string Source, string Text);

/// <summary>Everything that browsers and servers of this run let out of their hands.</summary>
public sealed class SeenEverything
{
    private readonly ConcurrentBag<Sighting> sightings = [];

    public IReadOnlyCollection<Sighting> All => sightings;

    public void Add(Place place, string source, string? text)
    {
        if (!string.IsNullOrEmpty(text))
            sightings.Add(new(place, source, text));
    }
}
