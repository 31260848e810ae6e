namespace Postern.Sandbox;

/// <summary>The people and clients of the demo. Every secret here is public by design: nothing but the sandbox accepts it.</summary>
public static class Demo
{
    /// <summary>The people whom every issuer can sign in.</summary>
    public static IReadOnlyList<DemoUser> Users { get; } =
    [
        new("ana", "ana@skyline.example", "Ana Ortega", ["CA"], Admin: false),
        new("ben", "ben@skyline.example", "Ben Whitfield", ["TX"], Admin: false),
        new("chloe", "chloe@skyline.example", "Chloe Laurent", States: null, Admin: false),
        new("admin", "admin@skyline.example", "Avery Admin", States: null, Admin: true),
    ];

    /// <summary>The clients that are registered from the start.</summary>
    public static IReadOnlyList<SandboxClient> Clients { get; } =
    [
        Gateway("workspace"),
        Gateway("generic"),
        Service("workspace"),
        Service("generic"),
        new()
        {
            Issuer = "corp", Id = "postern-portal", Name = "Postern portal", Secret = "sandbox-secret-portal",
            RedirectUris = ["http://localhost:7300/sign-in/callback"], PostLogoutRedirectUris = ["http://localhost:7300/"],
        },
    ];

    private static SandboxClient Gateway(string issuer) => new()
    {
        Issuer = issuer,
        Id = "postern",
        Name = "Postern",
        Secret = "sandbox-secret-postern",
        RedirectUris = ["http://localhost:7300/oauth/callback"],
    };

    private static SandboxClient Service(string issuer) => new()
    {
        Issuer = issuer,
        Id = "postern-service",
        Name = "Postern service principal",
        Secret = "sandbox-secret-service",
        Service = true,
        Scopes = ["sql", "all-apis"],
    };
}
