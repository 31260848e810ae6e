using CsCheck;
using Postern.Gateway.Workbooks;
using Postern.Model;
using static Postern.Gateway.Tests.Workbooks.Fixtures;

namespace Postern.Gateway.Tests.Workbooks;

/// <summary>What a browser sends chooses a published text and fills in values; it never becomes text (CVE-2025-48912, CVE-2022-39358).</summary>
public sealed class BindTests
{
    private static readonly PublishedWorkbook Workbook = Publish(Delays);

    [Fact]
    public void Bind_NothingSent_TakesTheDefaults()
    {
        var bound = Bound(Workbook, "delays", "{}");

        Assert.Equal("2001-04-02", Value(bound, "period__from"));
        Assert.Equal("2001-07-01", Value(bound, "period__to"));
        Assert.Equal("15", Value(bound, "min_delay"));
        Assert.Equal("west", Value(bound, "region"));
        Assert.Contains("date_trunc('day', f.date)", bound.Sql, StringComparison.Ordinal);
        Assert.DoesNotContain("a.state IN", bound.Sql, StringComparison.Ordinal);
        Assert.DoesNotContain("carrier", bound.Sql, StringComparison.Ordinal);
        Assert.Equal(500, bound.Limit);
        Assert.Equal(TimeSpan.FromSeconds(30), bound.Timeout);
    }

    [Fact]
    public void Bind_RelativeDefaultWithoutAnchor_EndsWithToday()
    {
        var workbook = Publish(Changed(Changed(Delays, "default_anchor: 2001-07-01, ", ""), ", min: 2001-01-01, max: 2001-07-01", ""));

        var bound = Bound(workbook, "delays", "{}");

        Assert.Equal("2025-12-11", Value(bound, "period__from"));
        Assert.Equal("2026-03-11", Value(bound, "period__to"));
    }

    [Fact]
    public void Bind_ThreeStates_PadsToFourByRepeatingTheLast()
    {
        var bound = Bound(Workbook, "delays", """{"states":["CA","TX","NY"]}""");

        Assert.Contains("IN (:states__0, :states__1, :states__2, :states__3)", bound.Sql, StringComparison.Ordinal);
        Assert.Equal(["CA", "TX", "NY", "NY"], Enumerable.Range(0, 4).Select(i => Value(bound, $"states__{i}")));
    }

    [Fact]
    public void Bind_InjectionInAList_StaysAValue()
    {
        const string Hostile = "CA') OR 1=1 --";

        var bound = Bound(Workbook, "delays", $$"""{"states":["{{Hostile}}"],"carrier":"' OR ''='"}""");

        Assert.Equal(Hostile, Value(bound, "states__0"));
        Assert.Equal("' OR ''='", Value(bound, "carrier"));
        Assert.DoesNotContain("1=1", bound.Sql, StringComparison.Ordinal);
        Assert.Contains(Workbook.FindQuery("delays")!.Variants, variant => variant.Sql == bound.Sql);
    }

    [Theory]
    [InlineData("""{"nobody":1}""", "control-unknown")]
    [InlineData("""{"region":"east"}""", "control-locked")]
    [InlineData("""{"region":null}""", "control-locked")]
    [InlineData("""{"grain":"month"}""", "control-invalid")]
    [InlineData("""{"grain":"date_trunc('day', f.date)"}""", "control-invalid")]
    [InlineData("""{"grain":["day"]}""", "control-invalid")]
    [InlineData("""{"min_delay":-61}""", "control-invalid")]
    [InlineData("""{"min_delay":1441}""", "control-invalid")]
    [InlineData("""{"min_delay":1.5}""", "control-invalid")]
    [InlineData("""{"min_delay":"15"}""", "control-invalid")]
    [InlineData("""{"min_delay":1e400}""", "control-invalid")]
    [InlineData("""{"min_delay":null}""", "control-invalid")]
    [InlineData("""{"states":"CA"}""", "control-invalid")]
    [InlineData("""{"states":[1]}""", "control-invalid")]
    [InlineData("""{"states":[""]}""", "control-invalid")]
    [InlineData("""{"states":[null]}""", "control-invalid")]
    [InlineData("""{"states":["a","b","c","d","e","f"]}""", "control-invalid")]
    [InlineData("""{"states":["C\u0000A"]}""", "control-invalid")]
    [InlineData("""{"states":["\ud800"]}""", "control-invalid")]
    [InlineData("""{"carrier":"thirteen char"}""", "control-invalid")]
    [InlineData("""{"carrier":{"a":1}}""", "control-invalid")]
    [InlineData("""{"period":{"from":"2001-01-01"}}""", "control-invalid")]
    [InlineData("""{"period":{"from":"2001-01-01","to":"2001-02-01","and":1}}""", "control-invalid")]
    [InlineData("""{"period":{"from":"2001-1-1","to":"2001-02-01"}}""", "control-invalid")]
    [InlineData("""{"period":{"from":"2001-02-30","to":"2001-03-01"}}""", "control-invalid")]
    [InlineData("""{"period":{"from":"2001-03-01","to":"2001-03-01"}}""", "control-invalid")]
    [InlineData("""{"period":{"from":"2000-12-31","to":"2001-02-01"}}""", "control-invalid")]
    [InlineData("""{"period":{"from":"2001-01-01","to":"2001-07-03"}}""", "control-invalid")]
    [InlineData("""{"period":{"from":"\ud800","to":"2001-07-03"}}""", "control-invalid")]
    [InlineData("""{"carrier":"a","carrier":"b"}""", "control-invalid")]
    [InlineData("""["states"]""", "control-invalid")]
    [InlineData("""7""", "control-invalid")]
    public void Bind_UnacceptableValue_IsRefusedWithoutEcho(string controls, string code)
    {
        var refusal = Bind(Workbook, "delays", controls).Refusal;

        Assert.NotNull(refusal);
        Assert.Equal(RefusalKind.InvalidRequest, refusal.Kind);
        Assert.Equal(code, refusal.Code);
        Assert.DoesNotContain("nobody", refusal.Detail, StringComparison.Ordinal);
        Assert.DoesNotContain("thirteen", refusal.Detail, StringComparison.Ordinal);
    }

    [Fact]
    public void Bind_EmptyListAndText_AreNotApplied()
    {
        var bound = Bound(Workbook, "delays", """{"states":[],"carrier":""}""");

        Assert.Equal(Bound(Workbook, "delays", "{}").SqlHash, bound.SqlHash);
    }

    [Fact]
    public void Bind_LastDayOfMax_IsWithin() =>
        Assert.Equal("2001-07-02", Value(Bound(Workbook, "delays", """{"period":{"from":"2001-07-01","to":"2001-07-02"}}"""), "period__to"));

    [Theory]
    [InlineData("", "absent")]
    [InlineData(", host_may_set: locked", "IN (:states__0, :states__1)")]
    public void Bind_ListThatIsNotSent_IsAppliedOnlyWhenLocked(string locked, string expected)
    {
        var workbook = Publish(Changed(Delays, "max_items: 5", "max_items: 5, default: [CA, TX]" + locked));

        var sql = Bound(workbook, "delays", "{}").Sql;

        Assert.Contains(expected, sql.Contains("a.state IN", StringComparison.Ordinal) ? sql : "absent", StringComparison.Ordinal);
    }

    [Fact]
    public void Bind_LockedControl_TakesTheHostsValue()
    {
        var bound = Bound(Workbook, "delays", "{}", fromHost: """{"region":"east"}""");

        Assert.Equal("east", Value(bound, "region"));
    }

    [Fact]
    public void Bind_HostSetsAControlThatIsTheViewers_IsRefused()
    {
        var refusal = Bind(Workbook, "delays", "{}", fromHost: """{"carrier":"AA"}""").Refusal;

        Assert.Equal("control-locked", refusal?.Code);
    }

    [Fact]
    public void Bind_ControlTheQueryDoesNotUse_IsStillChecked()
    {
        Assert.Equal("control-invalid", Bind(Workbook, "my_states", """{"min_delay":"x"}""").Refusal?.Code);
        Assert.Empty(Bound(Workbook, "my_states", """{"min_delay":20}""").Parameters);
    }

    [Fact]
    public void Bind_TicketOfAnotherRevision_IsRefused()
    {
        var permitted = Permit(Workbook, "delays");

        var refusal = (Workbook with { Revision = 8 }).Bind(permitted, Json("{}"), Clock).Refusal;

        Assert.Equal("workbook-changed", refusal?.Code);
    }

    [Fact]
    public void BoundParameter_Printed_ShowsNoValue()
    {
        var bound = Bound(Workbook, "delays", """{"carrier":"marker-7f"}""");

        Assert.DoesNotContain("marker-7f", string.Join(' ', bound.Parameters) + bound, StringComparison.Ordinal);
    }

    [Fact]
    public void Rls_CannotBeWidenedByAnyClientText()
    {
        var texts = Workbook.Queries.ToDictionary(query => query.Name, query => query.Variants.Select(variant => variant.Sql).ToHashSet(StringComparer.Ordinal));
        var accepted = 0;

        Gen.Select(Gen.OneOf("delays", "my_states"), JsonGen.Controls).Sample((query, controls) =>
        {
            if (!Bind(Workbook, query, controls).TryGet(out var bound, out var refusal))
                return refusal.Kind == RefusalKind.InvalidRequest;
            Interlocked.Increment(ref accepted);
            var named = SqlLexer.Read(bound.Sql).Tokens.Where(token => token.Kind == SqlKind.Parameter).Select(token => token.Name).ToHashSet(StringComparer.Ordinal);
            return texts[query!].Contains(bound.Sql) && named.SetEquals(bound.Parameters.Select(parameter => parameter.Name));
        }, iter: 20_000);

        Assert.True(accepted > 500, $"Only {accepted} inputs were accepted: the generator no longer reaches the binder.");
    }

    private static string? Value(BoundQuery bound, string name) => Assert.Single(bound.Parameters, parameter => parameter.Name == name).Value;
}
