namespace Skyline;

/// <summary>Where Skyline and Postern are, and the embed keys Skyline holds. Environment variables <c>SKYLINE__…</c> override.</summary>
public sealed record SkylineSettings(string Origin, Uri Postern, IReadOnlyDictionary<string, string> EmbedSecrets)
{
    public static SkylineSettings Read(IConfiguration configuration)
    {
        var section = configuration.GetSection("Skyline");
        return new(
            section["Origin"] ?? "http://127.0.0.1:7320",
            new Uri(section["Postern"] ?? "http://localhost:7300"),
            Customer.All.ToDictionary(
                customer => customer.EmbedKey,
                customer => section[$"EmbedSecrets:{customer.EmbedKey}"]
                    ?? throw new InvalidOperationException(
                        $"Set Skyline:EmbedSecrets:{customer.EmbedKey} to the secret of that embed key (environment: SKYLINE__EMBEDSECRETS__…).")));
    }
}
