using System.Text;
using CsCheck;
using Postern.Warehouse.Databricks;

namespace Postern.Warehouse.Tests;

public sealed class PlatformErrorTests
{
    [Theory]
    [InlineData(403, """{"error_code":403,"message":"Invalid access token."}""", "403", true)]
    [InlineData(403, """{"error_code":"403","message":"Invalid access token."}""", "403", true)]
    [InlineData(403, """{"error_code":403,"message":"Unauthorized."}""", "403", true)]
    [InlineData(401, """{"error_code":401,"message":"Credential was not sent"}""", "401", true)]
    [InlineData(403, """{"error_code":"PERMISSION_DENIED","message":"no access to token store"}""", "PERMISSION_DENIED", false)]
    [InlineData(403, """{"error":"FORBIDDEN"}""", "FORBIDDEN", false)]
    [InlineData(400, """{"error":"Some words of API 1.2"}""", "http-400", false)]
    [InlineData(403, """{"schemas":["urn:ietf:params:scim:api:messages:2.0:Error"],"detail":"denied","status":"403"}""", "http-403", false)]
    [InlineData(404, "RESOURCE_DOES_NOT_EXIST: no warehouse 'x'", "RESOURCE_DOES_NOT_EXIST", false)]
    [InlineData(403, "<html><pre>Token is expiring within 30 seconds</pre></html>", "http-403", true)]
    [InlineData(403, "", "http-403", false)]
    [InlineData(500, "null", "http-500", false)]
    [InlineData(500, """{"error_code":{"a":1},"message":[1]}""", "http-500", false)]
    [InlineData(500, """{"error_code":"<script>alert(1)</script>"}""", "http-500", false)]
    [InlineData(403, """{"error_code":403,"message":"Provided OAuth token does not have required scopes: sql"}""", "403", false)]
    public void Read_BodiesSeenInTheWild_GiveACodeAndTheRightVerdict(int status, string body, string code, bool tokenRefused)
    {
        var error = PlatformError.Read(status, Encoding.UTF8.GetBytes(body));
        Assert.Equal((code, tokenRefused), (error.Code, error.IsTokenRefused));
        Assert.Equal($"{status} {code}", error.ToString());
    }

    [Fact]
    public void Read_AnyBytes_GivesACleanCode() => Gen.Byte.Array[0, 200].Sample(body =>
        Assert.Matches("^[A-Za-z0-9_.-]{1,64}$", PlatformError.Read(500, body).Code));

    [Fact]
    public void Read_AnyText_GivesACleanCode() => Gen.String[Gen.Char["{}[]\":,error_code403A<>: "], 0, 60].Sample(body =>
        Assert.Matches("^[A-Za-z0-9_.-]{1,64}$", PlatformError.Read(403, Encoding.UTF8.GetBytes(body)).Code));
}
