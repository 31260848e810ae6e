using System.Text.Json.Nodes;

namespace Postern.Host.Tests.Configuration;

/// <summary>One mistake in a configuration that is good otherwise: exactly one problem, at its path, with what to do.</summary>
public sealed class BadConfigurationTests
{
    private const string Plain = "http://portal.example";

    private static readonly Dictionary<string, (Action<JsonNode> Break, string Path, string Remedy)> Cases = new()
    {
        ["no public origin"] = (c => c.Remove("Postern:PublicOrigin"), "Postern:PublicOrigin", "Give the origin that browsers use"),
        ["public origin with a slash"] = (c => c.Set("Postern:PublicOrigin", "https://analytics.example/"), "Postern:PublicOrigin", "without a slash at the end"),
        ["public origin in capitals"] = (c => c.Set("Postern:PublicOrigin", "https://Analytics.example"), "Postern:PublicOrigin", "in lower case"),
        ["public origin in the clear"] = (c => c.Set("Postern:PublicOrigin", "http://analytics.example"), "Postern:PublicOrigin", "Use https"),
        ["no store"] = (c => c.Remove("Postern:Store"), "Postern:Store:ConnectionString", "Data Source=FILE"),
        ["unknown store"] = (c => c.Set("Postern:Store:Provider", "oracle"), "Postern:Store:Provider", "sqlite"),
        ["store in memory"] = (c => c.Set("Postern:Store:ConnectionString", "Data Source=:memory:"), "Postern:Store:ConnectionString", "Data Source=FILE"),
        ["store in memory by mode"] = (c => c.Set("Postern:Store:ConnectionString", "Data Source=/d/x.db;Mode=Memory"), "Postern:Store:ConnectionString", "Data Source=FILE"),
        ["store for reading"] = (c => c.Set("Postern:Store:ConnectionString", "Data Source=/d/x.db;Mode=ReadOnly"), "Postern:Store:ConnectionString", "Remove Mode"),
        ["store as a URI"] = (c => c.Set("Postern:Store:ConnectionString", "Data Source=file:x.db?cache=shared"), "Postern:Store:ConnectionString", "plain path"),
        ["store string of another kind"] = (c => c.Set("Postern:Store:ConnectionString", "Host=db;Port=5432"), "Postern:Store:ConnectionString", "Data Source=FILE"),
        ["server without TLS"] = (c => Server(c, "postgresql", "Host=db.example;Database=postern;Username=postern;SSL Mode=Disable"), "Postern:Store:ConnectionString", "Host=db.example"),
        ["server without checked TLS"] = (c => Server(c, "mysql", "Server=db.example;Database=postern;User ID=postern;SSL Mode=Required"), "Postern:Store:ConnectionString", "Host=db.example"),
        ["server without a database"] = (c => Server(c, "postgresql", "Host=db.example"), "Postern:Store:ConnectionString", "Database"),
        ["server string of another kind"] = (c => Server(c, "mysql", "Data Source=x.db;Nonsense=1"), "Postern:Store:ConnectionString", "Server with mysql"),
        ["server with two passwords"] = (c => { Server(c, "postgresql", "Host=db.example;Database=postern;Password=one"); c.Set("Postern:Store:Password", "two"); }, "Postern:Store:Password", "Keep one of them"),
        ["file with a server's pool"] = (c => c.Set("Postern:Store:PoolSize", 9), "Postern:Store:PoolSize", "Remove it"),
        ["unknown key store"] = (c => c.Set("Postern:KeyStore:Provider", "paper"), "Postern:KeyStore:Provider", "file"),
        ["no key directory"] = (c => c.Remove("Postern:KeyStore:Directory"), "Postern:KeyStore:Directory", "Name a directory of its own"),
        ["keys beside the database"] = (c => c.Set("Postern:KeyStore:Directory", ".postern/data"), "Postern:KeyStore:Directory", "Keep keys apart"),
        ["keys below the database"] = (c => c.Set("Postern:KeyStore:Directory", ".postern/data/keys/"), "Postern:KeyStore:Directory", "Keep keys apart"),
        ["no deployment"] = (c => c.Remove("Postern:KeyStore:Deployment"), "Postern:KeyStore:Deployment", "must never change"),
        ["deployment with a space"] = (c => c.Set("Postern:KeyStore:Deployment", "my demo"), "Postern:KeyStore:Deployment", "lower-case letters"),
        ["node name with a space"] = (c => c.Set("Postern:Node:Name", "node 1"), "Postern:Node:Name", "letters, digits"),
        ["proxy by name"] = (c => c.Set("Postern:TrustedProxies", new JsonArray("proxy.local")), "Postern:TrustedProxies", "10.0.0.0/24"),
        ["everybody as proxy"] = (c => c.Set("Postern:TrustedProxies", new JsonArray("0.0.0.0/0")), "Postern:TrustedProxies", "own addresses"),
        ["no tenants"] = (c => c.Remove("Postern:Tenants"), "Postern:Tenants", "at least one tenant"),
        ["tenant with a dot"] = (c => Rename(c, "Postern:Tenants", "skyline", "sky.line"), "Postern:Tenants:sky.line", "lower-case letters"),
        ["tenant with the name of Postern's log"] = (c => Rename(c, "Postern:Tenants", "skyline", "postern"), "Postern:Tenants:postern", "another name"),
        ["host of two tenants"] = (c => c.Set("Postern:Tenants:other", c.At(Given.Skyline).DeepClone()), "Postern:Tenants", "belongs to one tenant"),
        ["no hosts"] = (c => c.Remove(Given.Skyline + ":Hosts"), Given.Skyline + ":Hosts", "List its host names"),
        ["host with a port"] = (c => c.Set(Given.Skyline + ":Hosts", new JsonArray("localhost:7300")), Given.Skyline + ":Hosts", "as a browser sends it"),
        ["hosts as a section"] = (c => c.Set(Given.Skyline + ":Hosts", new JsonObject { ["main"] = "localhost" }), Given.Skyline + ":Hosts", "[\"…\", \"…\"]"),
        ["embed origin with a path"] = (c => AddOrigin(c, "https://portal.example/x"), Given.Skyline + ":EmbedOrigins", "scheme, host and port alone"),
        ["embed origin in the clear"] = (c => AddOrigin(c, Plain), Given.Skyline + ":EmbedOrigins", "Use https"),
        ["embed origin is Postern"] = (c => AddOrigin(c, "http://localhost:7300"), Given.Skyline + ":EmbedOrigins", "an origin of their own"),
        ["no sign-in"] = (c => c.Remove(Given.Skyline + ":SignIn"), Given.Skyline + ":SignIn", "how people sign in"),
        ["sign-in without openid"] = (c => c.Set(Given.Skyline + ":SignIn:Scopes", "email"), Given.Skyline + ":SignIn:Scopes", "Add openid"),
        ["no connections"] = (c => { c.Remove(Given.Skyline + ":Connections"); }, Given.Skyline + ":Connections", "at least one data platform"),
        ["workbooks that are not there"] = (c => c.Set(Given.Skyline + ":Workbooks", new JsonArray("/nowhere/at-all")), Given.Skyline + ":Workbooks", "*.workbook.yaml"),
        ["unknown platform"] = (c => c.Set(Given.Lakehouse + ":Platform", "oracle"), Given.Lakehouse + ":Platform", "Choose one of: databricks"),
        ["platform in the clear"] = (c => c.Set(Given.Lakehouse + ":Endpoint", "http://dbc.example"), Given.Lakehouse + ":Endpoint", "Use https"),
        ["platform in a private network nobody allowed"] = (c => c.Set(Given.Lakehouse + ":Endpoint", "https://10.1.2.3"), Given.Lakehouse + ":Endpoint", "AllowedNetworks"),
        ["platform at a metadata address"] = (c => c.Set(Given.Lakehouse + ":Endpoint", "https://169.254.169.254"), Given.Lakehouse + ":Endpoint", "public name"),
        ["issuer in a private network nobody allowed"] = (c => c.Set(Given.Lakehouse + ":Authorization:Issuer", "https://[fd12::1]/as"), Given.Lakehouse + ":Authorization:Issuer", "AllowedNetworks"),
        ["metadata addresses allowed"] = (c => c.Set(Given.Lakehouse + ":AllowedNetworks", "169.254.0.0/16"), Given.Lakehouse + ":AllowedNetworks", "10.0.0.0/8"),
        ["loopback allowed as a network"] = (c => c.Set(Given.Skyline + ":SignIn:AllowedNetworks", "127.0.0.1"), Given.Skyline + ":SignIn:AllowedNetworks", "10.0.0.0/8"),
        ["every address allowed"] = (c => c.Set(Given.Lakehouse + ":Authorization:AllowedNetworks", new JsonArray("0.0.0.0/0")), Given.Lakehouse + ":Authorization:AllowedNetworks", "10.0.0.0/8"),
        ["network by name"] = (c => c.Set(Given.Lakehouse + ":AllowedNetworks", "intranet"), Given.Lakehouse + ":AllowedNetworks", "10.20.0.0/16"),
        ["platform without scheme"] = (c => c.Set(Given.Lakehouse + ":Endpoint", "dbc.example"), Given.Lakehouse + ":Endpoint", "https://host"),
        ["no identity"] = (c => c.Remove(Given.Lakehouse + ":Identity"), Given.Lakehouse + ":Identity", "user, service"),
        ["unknown identity match"] = (c => c.Set(Given.Lakehouse + ":IdentityMatch", "name"), Given.Lakehouse + ":IdentityMatch", "attribute:NAME"),
        ["free SQL neither true nor false"] = (c => c.Set(Given.Lakehouse + ":FreeSql", "yes"), Given.Lakehouse + ":FreeSql", "true or false"),
        ["free SQL for a service account"] = (c => c.Set(Given.Skyline + ":Connections:lakehouse-service:FreeSql", true), Given.Skyline + ":Connections:lakehouse-service:FreeSql", "Identity user"),
        ["match on a service account"] = (c => c.Set(Given.Skyline + ":Connections:lakehouse-service:IdentityMatch", "email"), Given.Skyline + ":Connections:lakehouse-service:IdentityMatch", "Remove it"),
        ["refresh token for a service account"] = (c => c.Set(Given.Skyline + ":Connections:lakehouse-service:Authorization:Scopes", "sql offline_access"), Given.Skyline + ":Connections:lakehouse-service:Authorization:Scopes", "Remove that scope"),
        ["service account without row policies"] = (c => c.Remove(Given.Skyline + ":Policies"), Given.Skyline + ":Policies", "Add a policy"),
        ["no warehouse"] = (c => c.Remove(Given.Lakehouse + ":Execution:WarehouseId"), Given.Lakehouse + ":Execution:WarehouseId", "SQL warehouse"),
        ["too many rows"] = (c => c.Set(Given.Lakehouse + ":Execution:MaxRows", 0), Given.Lakehouse + ":Execution:MaxRows", "Leave it out for 1000000"),
        ["unknown profile"] = (c => c.Set(Given.Lakehouse + ":Authorization:Profile", "oracle"), Given.Lakehouse + ":Authorization:Profile", "databricks, snowflake"),
        ["unknown rotation"] = (c => Behave(c, "Rotation", "sometimes"), Given.Lakehouse + ":Authorization:Behaviour:Rotation", "none, grace, single-use"),
        ["grace without its length"] = (c => Behave(c, "Rotation", "grace"), Given.Lakehouse + ":Authorization:Behaviour:Grace", "00:00:30"),
        ["length of a grace that there is not"] = (c => Behave(c, "Grace", "00:00:30"), Given.Lakehouse + ":Authorization:Behaviour:Grace", "set Rotation to grace"),
        ["cap of nothing"] = (c => Behave(c, "TokenRequestsPerMinute", "0"), Given.Lakehouse + ":Authorization:Behaviour:TokenRequestsPerMinute", "in that range"),
        ["issuer with a query"] = (c => c.Set(Given.Lakehouse + ":Authorization:Issuer", "https://login.example/?x=1"), Given.Lakehouse + ":Authorization:Issuer", "server's metadata"),
        ["issuer in the clear"] = (c => c.Remove(Given.Lakehouse + ":Authorization:AllowPlainHttpIssuerOnLoopback"), Given.Lakehouse + ":Authorization:Issuer", "AllowPlainHttpIssuerOnLoopback"),
        ["issuer in the clear elsewhere"] = (c => c.Set(Given.Lakehouse + ":Authorization:Issuer", "http://login.example"), Given.Lakehouse + ":Authorization:Issuer", "Use https"),
        ["no client id"] = (c => c.Remove(Given.Lakehouse + ":Authorization:ClientId"), Given.Lakehouse + ":Authorization:ClientId", "Register Postern"),
        ["no client secret"] = (c => c.Remove(Given.Lakehouse + ":Authorization:ClientSecret"), Given.Lakehouse + ":Authorization:ClientSecret", "ClientSecretFile"),
        ["secret of a public client"] = (c => c.Set(Given.Lakehouse + ":Authorization:ClientAuthentication", "none"), Given.Lakehouse + ":Authorization:ClientSecret", "Remove it"),
        ["secret twice"] = (c => { c.Set(Given.Skyline + ":EmbedKeys:0:SecretFile", "/nowhere"); }, Given.Skyline + ":EmbedKeys:0:Secret", "Keep one of them"),
        ["no scopes"] = (c => c.Set(Given.Lakehouse + ":Authorization:Scopes", new JsonArray()), Given.Lakehouse + ":Authorization:Scopes", "List what to ask for"),
        ["agreement without text"] = (c => c.Remove(Given.Skyline + ":Connections:archive:Agreement:Text"), Given.Skyline + ":Connections:archive:Agreement:Text", "Write the text"),
        ["lifetime that is no time"] = (c => c.Set(Given.Lakehouse + ":Lifetimes", new JsonObject { ["Unconfirmed"] = "soon" }), Given.Lakehouse + ":Lifetimes:Unconfirmed", "hh:mm:ss"),
        ["renewal ends before it begins"] = (c => c.Set(Given.Lakehouse + ":Lifetimes", new JsonObject { ["RenewBeforeEarliest"] = "00:01:00" }), Given.Lakehouse + ":Lifetimes:RenewBeforeEarliest", "leaves more time"),
        ["section as a value"] = (c => c.Set(Given.Lakehouse + ":Lifetimes", "long"), Given.Lakehouse + ":Lifetimes", "Unconfirmed"),
        ["policies as a value"] = (c => c.Set(Given.Skyline + ":EmbedKeys", "none"), Given.Skyline + ":EmbedKeys", "docs/reference/configuration.md"),
        ["value as a section"] = (c => c.Set(Given.Lakehouse + ":DisplayName", new JsonObject { ["en"] = "Lakehouse" }), Given.Lakehouse + ":DisplayName", "single value"),
        ["policy on no plain name"] = (c => c.Set(Given.Skyline + ":Policies:flights-by-state:Table", "flights; drop table x"), Given.Skyline + ":Policies:flights-by-state:Table", "letters, digits and underscores"),
        ["policy without attribute"] = (c => c.Remove(Given.Skyline + ":Policies:flights-by-state:Attribute"), Given.Skyline + ":Policies:flights-by-state:Attribute", "subject attribute"),
        ["unknown mask"] = (c => c.Set(Given.Skyline + ":Policies:flights-by-state:Masks", new JsonObject { ["delay"] = "blur" }), Given.Skyline + ":Policies:flights-by-state:Masks:delay", "hide, null, hash"),
        ["embed key twice"] = (c => c.Set(Given.Skyline + ":EmbedKeys:1:Id", "skyline"), Given.Skyline + ":EmbedKeys", "its own Id"),
        ["short embed secret"] = (c => c.Set(Given.Skyline + ":EmbedKeys:0:Secret", "short"), Given.Skyline + ":EmbedKeys:0:Secret", "openssl rand"),
        ["placeholder for an embed secret"] = (c => c.Set(Given.Skyline + ":EmbedKeys:0:Secret", "changeme-changeme-changeme"), Given.Skyline + ":EmbedKeys:0:Secret", "openssl rand"),
        ["embed key for a foreign origin"] = (c => c.Set(Given.Skyline + ":EmbedKeys:0:Origins", new JsonArray("https://other.example")), Given.Skyline + ":EmbedKeys:0:Origins", "Add it there"),
        ["embed key without workbooks"] = (c => c.Remove(Given.Skyline + ":EmbedKeys:0:Workbooks"), Given.Skyline + ":EmbedKeys:0:Workbooks", "List the workbooks"),
        ["unknown key that is near a known one"] = (c => c.Set(Given.Lakehouse + ":FreeSQl2", true), Given.Lakehouse + ":FreeSQl2", "Did you mean 'FreeSql'?"),
        ["unknown key that is near none"] = (c => c.Set("Postern:Node:Colour", "blue"), "Postern:Node:Colour", "Known here: Name, OtlpEndpoint, SpoolDirectory."),
    };

    public static TheoryData<string> Names => [.. Cases.Keys];

    [Theory]
    [MemberData(nameof(Names))]
    public void Read_OneMistake_IsRefusedAtItsPathWithTheRemedy(string name)
    {
        var (breakIt, path, remedy) = Cases[name];
        var configuration = Given.Demo();
        breakIt(configuration);

        var result = Given.Read(configuration);

        Assert.Null(result.Settings);
        var problem = Assert.Single(result.Problems);
        Assert.Equal(path, problem.Path);
        Assert.Contains(remedy, problem.Remedy, StringComparison.Ordinal);
        Assert.Equal($"{problem.Path}: {problem.Problem} {problem.Remedy}", problem.ToString());
    }

    [Fact]
    public void Read_ManyMistakes_AreAllToldAtOnce()
    {
        var configuration = Given.Demo();
        configuration.Remove("Postern:PublicOrigin");
        configuration.Set("Postern:KeyStore:Provider", "paper");
        configuration.Set(Given.Lakehouse + ":Endpoint", "http://dbc.example");
        configuration.Set(Given.Lakehouse + ":Authorization:Profile", "oracle");
        configuration.Set(Given.Skyline + ":EmbedKeys:1:Secret", "short");
        configuration.Set("Postern:Nodes", new JsonObject());
        configuration.Set("Postern:Nodes:Name", "n1");

        var result = Given.Read(configuration);

        Assert.Null(result.Settings);
        Assert.Equal(
        [
            "Postern:KeyStore:Provider",
            "Postern:Nodes",
            "Postern:PublicOrigin",
            Given.Lakehouse + ":Authorization:Profile",
            Given.Lakehouse + ":Endpoint",
            Given.Skyline + ":EmbedKeys:1:Secret",
        ], result.Problems.Select(problem => problem.Path).Order(StringComparer.Ordinal));
        Assert.Contains("Did you mean 'Node'?", result.Problems.Single(problem => problem.Path == "Postern:Nodes").Remedy, StringComparison.Ordinal);
    }

    [Fact]
    public void Read_NothingAtAll_SaysWhereTheShapeIsDescribed()
    {
        var problem = Assert.Single(Given.Read(new JsonObject()).Problems);

        Assert.Equal("Postern", problem.Path);
        Assert.Contains("docs/reference/configuration.md", problem.Remedy, StringComparison.Ordinal);
    }

    private static void AddOrigin(JsonNode configuration, string origin) => configuration.At(Given.Skyline + ":EmbedOrigins").AsArray().Add(origin);

    private static void Server(JsonNode configuration, string provider, string connection)
    {
        configuration.Set("Postern:Store:Provider", provider);
        configuration.Set("Postern:Store:ConnectionString", connection);
    }

    private static void Rename(JsonNode configuration, string path, string from, string to)
    {
        var parent = configuration.At(path).AsObject();
        var moved = parent[from]!.DeepClone();
        parent.Remove(from);
        parent[to] = moved;
    }

    private static void Behave(JsonNode configuration, string key, string value)
    {
        configuration.Set(Given.Lakehouse + ":Authorization:Behaviour", new JsonObject());
        configuration.Set(Given.Lakehouse + ":Authorization:Behaviour:" + key, value);
    }
}
