using System.Text.Json.Nodes;
using Postern.Gateway.Workbooks;
using Postern.Model;
using static Postern.Gateway.Tests.Workbooks.Fixtures;

namespace Postern.Gateway.Tests.Workbooks;

public sealed class PublishedWorkbookTests
{
    [Fact]
    public void ToBody_ReadBack_BindsTheSame()
    {
        foreach (var (text, query) in new[] { (Delays, "delays"), (Partner, "totals") })
        {
            var workbook = Publish(text);
            var body = workbook.ToBody();

            Assert.True(PublishedWorkbook.TryRead(body, 7, out var read));

            Assert.Equal(body, read.ToBody());
            Assert.Equal(Bound(workbook, query, "{}").SqlHash, Bound(read, query, "{}").SqlHash);
            Assert.Equal(workbook.FindQuery(query)!.Variants.Select(variant => variant.Hash), read.FindQuery(query)!.Variants.Select(variant => variant.Hash));
        }
    }

    [Fact]
    public void Publish_SameFileTwice_IsByteEqual() => Assert.Equal(Publish(Delays).ToBody(), Publish(Delays).ToBody());

    [Fact]
    public void Publish_Variants_AreDistinctAndCounted()
    {
        var query = Publish(Delays).FindQuery("delays")!;

        // Absent, 1, 2, 4, 8 states; carrier there or not; two grains.
        Assert.Equal(5 * 2 * 2, query.Variants.Length);
        Assert.Equal(query.Variants.Length, query.Variants.Select(variant => variant.Hash).Distinct().Count());
    }

    [Fact]
    public void Publish_PartsThatMeet_DoNotGrowIntoAComment()
    {
        var text = Changed(Delays, "f.delay >= :min_delay", "f.delay -[when carrier: 1 -]-1 >= :min_delay");

        var report = WorkbookReader.Read(text);

        Assert.Empty(report.Problems);
        Assert.All(Publish(text).FindQuery("delays")!.Variants, variant => Assert.DoesNotContain("--", variant.Sql, StringComparison.Ordinal));
    }

    [Theory]
    [InlineData("flights f JOIN", "flights f, secrets s JOIN")]
    [InlineData("\"title\":", "\"titel\":")]
    [InlineData("\"delays\"", "\"Not a slug\"")]
    [InlineData("\"big_int\"", "\"7\"")]
    public void TryRead_AlteredBody_IsRefused(string place, string instead)
    {
        var workbook = Publish(Changed(Delays, "min: -60, max: 1440", "min: -60, max: 5000000000"));

        Assert.False(PublishedWorkbook.TryRead(Changed(workbook.ToBody(), place, instead), 7, out _));
    }

    [Theory]
    [InlineData("")]
    [InlineData("null")]
    [InlineData("{}")]
    [InlineData("[]")]
    [InlineData("{\"id\":7}")]
    public void TryRead_NoSuchBody_IsRefused(string body) => Assert.False(PublishedWorkbook.TryRead(body, 1, out _));

    [Fact]
    public void Catalog_Load_KeepsTenantsApartAndTheNewestRevision()
    {
        var other = TenantId.Parse("other");
        var body = Publish(Delays).ToBody();

        var catalog = WorkbookCatalog.Load([new(Skyline, 2, body), new(Skyline, 5, body), new(Skyline, 3, body), new(other, 1, Publish(Partner).ToBody()), new(other, 9, "{}")]);

        Assert.Equal(5, catalog.Find(Skyline, WorkbookId.Parse("delays"))?.Revision);
        Assert.Null(catalog.Find(other, WorkbookId.Parse("delays")));
        Assert.Equal("partner", Assert.Single(catalog.Of(other)).Id.Value);
        Assert.Equal(9, Assert.Single(catalog.Unreadable).Revision);
        Assert.Empty(WorkbookCatalog.Empty.Of(Skyline));
    }

    [Fact]
    public void View_ForViewers_HasTheContractedShape()
    {
        var view = WorkbookView.Of(Publish(Delays), Clock);

        Assert.Equal("lakehouse", (string?)view["connection"]);
        Assert.Equal("""{"type":"date_range","label":"Period","default":{"from":"2001-04-02","to":"2001-07-01"},"min":"2001-01-01","max":"2001-07-01"}""", view["controls"]!["period"]!.ToJsonString());
        Assert.Equal("""{"type":"string","label":"States","default":[],"many":true,"maxItems":5,"options":{"query":"my_states","value":"state"}}""", view["controls"]!["states"]!.ToJsonString());
        Assert.Equal("""{"type":"choice","label":"Grain","default":"day","choices":[{"key":"day","label":"By day"},{"key":"week","label":"By week"}]}""", view["controls"]!["grain"]!.ToJsonString());
        Assert.Equal("""{"kind":"table","query":"delays","title":"Table","span":9,"columns":["bucket","flights"],"page":25,"export":["csv"]}""", view["pages"]![0]!["rows"]![0]![1]!.ToJsonString());
        Assert.Equal("""["period","states","carrier","min_delay","grain"]""", view["queries"]!["delays"]!["controls"]!.ToJsonString());
        Assert.Equal("""{"type":"string","label":"Carrier"}""", view["controls"]!["carrier"]!.ToJsonString());
        Assert.Equal("""{"type":"int","label":"Flights"}""", view["queries"]!["delays"]!["columns"]!["flights"]!.ToJsonString());
    }

    [Fact]
    public void View_LockedControl_IsNotThere()
    {
        var view = WorkbookView.Of(Publish(Delays), Clock);

        Assert.False(((JsonObject)view["controls"]!).ContainsKey("region"));
        Assert.DoesNotContain("region", view.ToJsonString(), StringComparison.Ordinal);
    }

    [Fact]
    public void View_NeverContainsSqlOrTableNames()
    {
        foreach (var text in new[] { Delays, Partner })
        {
            var view = WorkbookView.Of(Publish(text), Clock).ToJsonString();
            foreach (var word in new[] { "SELECT", "airports", "date_trunc", "subject__", "flights-by-state", "f.delay" })
                Assert.DoesNotContain(word, view, StringComparison.OrdinalIgnoreCase);
        }
    }
}
