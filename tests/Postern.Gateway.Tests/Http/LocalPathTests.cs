using Postern.Gateway.Http;

namespace Postern.Gateway.Tests.Http;

/// <summary>No open redirector: whatever is asked for, a sign-in goes on to a plain path of this origin (RFC 9700 section 4.11).</summary>
public sealed class LocalPathTests
{
    [Theory]
    [InlineData("/")]
    [InlineData("/workbooks/flight_delays")]
    [InlineData("/workbooks/flight_delays?page=2&x=y")]
    public void ReturnTo_PathOfOurs_IsKept(string path) => Assert.Equal(path, LocalPath.Of(path));

    [Theory]
    [InlineData(null)]
    [InlineData("")]
    [InlineData("https://evil")]
    [InlineData("//evil")]
    [InlineData("///evil")]
    [InlineData("/\\evil")]
    [InlineData("\\/evil")]
    [InlineData("/%5cevil")]
    [InlineData("/%2f/evil")]
    [InlineData("/%09/evil")]
    [InlineData("/\t/evil")]
    [InlineData("https:evil")]
    [InlineData("https:/evil")]
    [InlineData("https://gateway.example@evil")]
    [InlineData("https://gateway.example.evil")]
    [InlineData("https://evil#@gateway.example")]
    [InlineData("javascript:alert(1)")]
    [InlineData("data:text/html,x")]
    [InlineData("/%0d%0aLocation:%20https://evil")]
    [InlineData("/\r\nLocation: https://evil")]
    [InlineData("http://[::1")]
    [InlineData("/ａ.evil")]
    [InlineData("/%252f%252fevil")]
    [InlineData("/@evil")]
    [InlineData("workbooks")]
    public void ReturnTo_AnythingElse_GoesToTheStartPage(string? text) => Assert.Equal("/", LocalPath.Of(text));

    [Fact]
    public void ReturnTo_OneMegabyte_GoesToTheStartPage() => Assert.Equal("/", LocalPath.Of("/" + new string('a', 1_000_000)));
}
