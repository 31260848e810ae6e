using System.Collections.Immutable;
using System.Reflection;
using Postern.Model;
using static Postern.Policy.Tests.People;

namespace Postern.Policy.Tests;

/// <summary>Who gets a ticket.</summary>
public sealed class JudgeTests
{
    private static readonly Connection Lakehouse = Connect("lakehouse", IdentityMode.User, freeSql: true);
    private static readonly Connection Service = Connect("service", IdentityMode.Service, freeSql: true);
    private static readonly Connection Federated = Connect("federated", IdentityMode.Federated, freeSql: true);
    private static readonly TablePolicy ByState = new("by-state", "main.demo.flights", new RowFilter.In("state", "state"), ImmutableSortedDictionary<string, ColumnMask>.Empty, 3);

    [Fact]
    public void Connect_OwnIdentityWithinReach_IsPermitted()
    {
        Assert.True(ConnectPolicy.Judge(Frame("delays", Lakehouse), Lakehouse).TryGet(out var permitted, out _));

        Assert.Same(Lakehouse, permitted.Connection);
        Assert.Equal("ana@skyline.example", permitted.Subject.Email);
        Assert.Equal(SessionKind.Frame, permitted.Kind);
    }

    [Fact]
    public void Connect_SharedOrFederatedIdentity_IsForbidden()
    {
        Assert.Equal("connect-service", ConnectPolicy.Judge(Portal(Service), Service).Refusal?.Code);
        Assert.Equal("connect-federated", ConnectPolicy.Judge(Portal(Federated), Federated).Refusal?.Code);
    }

    [Fact]
    public void UnknownAndForbidden_AreIndistinguishable()
    {
        var foreign = Connect("lakehouse", IdentityMode.User, freeSql: true, tenant: TenantId.Parse("other"));
        var query = Query(Lakehouse);
        var connects = new[] { ConnectPolicy.Judge(Portal(Lakehouse), null), ConnectPolicy.Judge(Portal(), Lakehouse), ConnectPolicy.Judge(Portal(Lakehouse), foreign), ConnectPolicy.Judge(Portal(), Service) };
        var frees = new[] { QueryPolicy.JudgeFreeSql(Portal(Lakehouse), null), QueryPolicy.JudgeFreeSql(Portal(), Lakehouse), QueryPolicy.JudgeFreeSql(Portal(Lakehouse), foreign) };
        var queries = new[]
        {
            QueryPolicy.Judge(Portal(Lakehouse), null, null, []),
            QueryPolicy.Judge(Portal(Lakehouse), null, Lakehouse, []),
            QueryPolicy.Judge(Portal(Lakehouse), query, null, []),
            QueryPolicy.Judge(Portal(), query, Lakehouse, []),
            QueryPolicy.Judge(Portal(Lakehouse), query, foreign, []),
            QueryPolicy.Judge(Frame("other", Lakehouse), query, Lakehouse, []),
            QueryPolicy.Judge(Portal(Lakehouse, Federated), query, Federated, []),
        };

        Assert.Single(connects.Select(outcome => outcome.Refusal).Distinct());
        Assert.Single(frees.Select(outcome => outcome.Refusal).Distinct());
        Assert.Single(queries.Select(outcome => outcome.Refusal).Distinct());
        Assert.All(queries, outcome => Assert.Equal(RefusalKind.NotFound, outcome.Refusal?.Kind));
    }

    [Fact]
    public void Query_FrameOfThatWorkbook_IsPermitted()
    {
        Assert.True(QueryPolicy.Judge(Frame("delays", Lakehouse), Query(Lakehouse), Lakehouse, [ByState]).TryGet(out var permitted, out _));

        Assert.Equal("delays", permitted.Workbook?.Value);
        Assert.Equal(4, permitted.WorkbookRevision);
        Assert.Equal("totals", permitted.Query);
        Assert.False(permitted.IsFreeSql);
        Assert.Equal("platform", permitted.PolicyRevision);
        Assert.Equal(permitted.Subject.Key, permitted.GrantOwner);
    }

    [Fact]
    public void Query_FrameWithoutAWorkbook_RunsNothing()
    {
        var viewer = Portal(Lakehouse) with { Kind = SessionKind.Frame };

        Assert.Equal(RefusalKind.NotFound, QueryPolicy.Judge(viewer, Query(Lakehouse), Lakehouse, []).Refusal?.Kind);
    }

    [Theory]
    [InlineData(IdentityMode.User, IdentityMode.Service)]
    [InlineData(IdentityMode.User, IdentityMode.Federated)]
    [InlineData(IdentityMode.Federated, IdentityMode.User)]
    [InlineData(IdentityMode.Service, IdentityMode.User)]
    public void Query_IdentityTheAuthorDoesNotAccept_NeverFallsBack(IdentityMode accepted, IdentityMode actual)
    {
        var connection = Connect("lakehouse", actual);

        var refusal = QueryPolicy.Judge(Portal(connection), Query(connection, accepted), connection, [ByState]).Refusal;

        Assert.Equal("identity-refused", refusal?.Code);
        Assert.Equal(RefusalKind.Forbidden, refusal?.Kind);
    }

    [Fact]
    public void Query_OnService_CarriesThePoliciesAndTheTenantsGrant()
    {
        Assert.True(QueryPolicy.Judge(Portal(Service), Query(Service, IdentityMode.Service), Service, [ByState]).TryGet(out var permitted, out _));

        Assert.Equal("by-state@3", permitted.PolicyRevision);
        Assert.Equal([ByState.Stamp], permitted.Policies);
        Assert.Equal(SubjectKey.Service(Skyline), permitted.GrantOwner);
    }

    [Fact]
    public void Query_OnServiceWithoutPolicies_IsForbidden()
    {
        var query = Query(Service, IdentityMode.Service) with { Policies = [] };

        Assert.Equal("policy-missing", QueryPolicy.Judge(Portal(Service), query, Service, []).Refusal?.Code);
        Assert.Equal("policy-missing", QueryPolicy.Judge(Portal(Service), query with { Policies = default }, Service, [ByState]).Refusal?.Code);
    }

    [Fact]
    public void Query_OnServiceAfterAPolicyChange_IsForbidden()
    {
        string? Code(params TablePolicy[] current) => QueryPolicy.Judge(Portal(Service), Query(Service, IdentityMode.Service), Service, current).Refusal?.Code;

        Assert.Null(Code(ByState));
        Assert.Equal("policy-missing", Code());
        Assert.Equal("policy-changed", Code(ByState with { Revision = 2 }));
        Assert.Equal("policy-changed", Code(ByState, ByState with { Name = "second" }));
        Assert.Equal("policy-changed", Code(ByState, ByState with { Name = "second", Table = "AIRPORTS" }));
        Assert.Null(Code(ByState, ByState with { Name = "second", Table = "carriers" }));
    }

    [Fact]
    public void CanShowRows_WithoutTheAttributeOfAPolicy_IsFalse()
    {
        var query = Query(Service, IdentityMode.Service);
        var partner = Portal(Service) with { Subject = Person(("state", ["TX"])) };

        Assert.True(QueryPolicy.CanShowRows(partner, query, Service, [ByState]));
        Assert.False(QueryPolicy.CanShowRows(Portal(Service), query, Service, [ByState]));
        Assert.False(QueryPolicy.CanShowRows(partner with { Subject = Person(("state", [""])) }, query, Service, [ByState]));
        Assert.False(QueryPolicy.CanShowRows(partner, query, Service, []));
        Assert.False(QueryPolicy.CanShowRows(partner with { Connections = new HashSet<ConnectionId>() }, query, Service, [ByState]));
        Assert.True(QueryPolicy.CanShowRows(Portal(Lakehouse), Query(Lakehouse), Lakehouse, [ByState]));
    }

    [Fact]
    public void FreeSql_PortalOnAConnectionThatAllowsIt_IsPermitted()
    {
        foreach (var connection in new[] { Lakehouse, Federated })
        {
            Assert.True(QueryPolicy.JudgeFreeSql(Portal(connection), connection).TryGet(out var permitted, out _));
            Assert.True(permitted.IsFreeSql);
            Assert.Null(permitted.Workbook);
            Assert.Equal(permitted.Subject.Key, permitted.GrantOwner);
        }
    }

    [Fact]
    public void FreeSql_FrameServiceOrSwitchedOff_IsForbidden()
    {
        Assert.Equal("free-sql-frame", QueryPolicy.JudgeFreeSql(Frame("delays", Lakehouse), Lakehouse).Refusal?.Code);
        Assert.Equal("free-sql-service", QueryPolicy.JudgeFreeSql(Portal(Service), Service).Refusal?.Code);
        Assert.Equal("free-sql-off", QueryPolicy.JudgeFreeSql(Portal(Lakehouse), Lakehouse with { FreeSql = false }).Refusal?.Code);
    }

    [Theory]
    [InlineData(typeof(PermittedConnect))]
    [InlineData(typeof(PermittedQuery))]
    public void Tickets_AreMadeInThisRoomOnly(Type ticket)
    {
        Assert.Empty(ticket.GetConstructors());
        Assert.True(ticket.IsSealed);
        Assert.All(ticket.GetProperties(), property => Assert.Null(property.SetMethod));
        Assert.DoesNotContain(ticket.GetMethods(BindingFlags.Public | BindingFlags.Static | BindingFlags.Instance), method => method.Name == "<Clone>$");
    }

    [Theory]
    [InlineData("flights", true)]
    [InlineData("FLIGHTS", true)]
    [InlineData("other.flights", true)]
    [InlineData("flights2", false)]
    [InlineData("flights.history", false)]
    public void TablePolicy_Protects_ByTheLastPart(string table, bool expected) => Assert.Equal(expected, ByState.Protects(table));

    private static WorkbookQuery Query(Connection connection, IdentityMode identity = IdentityMode.User) =>
        new(WorkbookId.Parse("delays"), 4, "totals", connection.Id, [identity], identity == IdentityMode.Service ? [ByState.Stamp] : [], ["airports", "iata"]);
}
