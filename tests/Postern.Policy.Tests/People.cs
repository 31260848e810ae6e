using System.Collections.Immutable;
using Postern.Model;

namespace Postern.Policy.Tests;

internal static class People
{
    public static readonly TenantId Skyline = TenantId.Parse("skyline");

    public const string Issuer = "https://platform.example/oidc";

    public static Subject Person(params (string Attribute, string[] Values)[] attributes) => new(
        new SubjectKey(Skyline, "https://corp.example", "corp-ana"),
        attributes.ToImmutableSortedDictionary(pair => pair.Attribute, pair => pair.Values.ToImmutableArray(), StringComparer.Ordinal));

    public static Subject WithEmail(string email) => Person(("email", [email]));

    public static Connection Connect(string id, IdentityMode identity, bool freeSql = false, IdentityMatch? match = null, TenantId? tenant = null) => new(
        tenant ?? Skyline, ConnectionId.Parse(id), $"The {id}", "databricks", new Uri("https://platform.example"), identity, match ?? IdentityMatch.Email,
        new AuthorizationSettings("databricks", Issuer, "postern", null, ClientAuthentication.None, ["sql"]), new ExecutionSettings("w", null, null))
    {
        FreeSql = freeSql,
    };

    public static Viewer Portal(params Connection[] connections) =>
        new(WithEmail("ana@skyline.example"), SessionKind.Portal, null, connections.Select(connection => connection.Id).ToHashSet());

    public static Viewer Frame(string workbook, params Connection[] connections) =>
        new(WithEmail("ana@skyline.example"), SessionKind.Frame, WorkbookId.Parse(workbook), connections.Select(connection => connection.Id).ToHashSet());
}
