namespace Postern.Grants.Tests.Support;

/// <summary>What the token endpoint does with one request instead of answering it.</summary>
/// <param name="Status">The status to answer with; 0 keeps the ordinary answer.</param>
internal sealed record Fault(int Status = 0, string Body = "", string Type = "application/json")
{
    /// <summary>The server does what was asked, then the connection breaks.</summary>
    public bool DropAnswer { get; init; }

    /// <summary>The server does what was asked, says so to <see cref="Reached"/>, and answers only when this ends.</summary>
    public Task? Hold { get; init; }

    public TaskCompletionSource? Reached { get; init; }

    /// <summary>The server takes the request and neither does nor says anything.</summary>
    public bool Hang { get; init; }

    public int? RetryAfter { get; init; }

    public static Fault ServerError { get; } = new(500, """{"error":"server_error"}""");
    public static Fault Html { get; } = new(502, "<html>bad gateway</html>", "text/html");
    public static Fault RejectedHtml { get; } = new(400, "<html>invalid_grant</html>", "text/html");
    public static Fault InvalidClient { get; } = new(401, """{"error":"invalid_client"}""");
    public static Fault TooMany { get; } = new(429, "{}") { RetryAfter = 20 };
    public static Fault Silence { get; } = new() { Hang = true };
    public static Fault LostAnswer { get; } = new() { DropAnswer = true };
}
