using Postern.Model;

namespace Postern.Model.Tests;

public sealed class NameTests
{
    [Theory]
    [InlineData("a")]
    [InlineData("lakehouse-2")]
    [InlineData("flight_delays")]
    [InlineData("0x")]
    public void Slug_PlainName_IsRead(string text)
    {
        Assert.True(TenantId.TryParse(text, out var id));
        Assert.Equal(text, id.Value);
        Assert.Equal(text, ConnectionId.Parse(text).ToString());
        Assert.Equal(text, WorkbookId.Parse(text).ToString());
    }

    [Theory]
    [InlineData(null)]
    [InlineData("")]
    [InlineData("-a")]
    [InlineData("_a")]
    [InlineData("A")]
    [InlineData("a b")]
    [InlineData("a/b")]
    [InlineData("a'; drop table grants")]
    [InlineData("ä")]
    [InlineData("a\n")]
    public void Slug_AnythingElse_IsRefused(string? text)
    {
        Assert.False(TenantId.TryParse(text, out _));
        Assert.False(ConnectionId.TryParse(text, out _));
        Assert.False(WorkbookId.TryParse(text, out _));
    }

    [Fact]
    public void Slug_OneTooLong_IsRefusedWithWords()
    {
        var wrong = Assert.Throws<FormatException>(() => TenantId.Parse(new string('a', 64)));
        Assert.Contains("63", wrong.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void SubjectKey_SameIdUnderTwoAuthorities_IsTwoPeople()
    {
        var tenant = TenantId.Parse("acme");
        Assert.NotEqual(new SubjectKey(tenant, "embed:portal", "ana"), new SubjectKey(tenant, "https://id.acme.example", "ana"));
    }
}
