using System.Text.Json.Nodes;

namespace Postern.Sandbox.Platform;

/// <summary>The platform's refusals, in the forms recorded of the real one.</summary>
internal static class PlatformErrors
{
    /// <summary>401: no credential, or one of another kind than Bearer. The code is a number.</summary>
    public static Task NoCredentialAsync(HttpContext context)
    {
        context.Response.Headers.WWWAuthenticate = "Bearer realm=\"DatabricksRealm\"";
        return WithReasonAsync(context, 401, "Credential was not sent or was of an unsupported type for this API.");
    }

    /// <summary>403: the token is expired, revoked or unknown. It is not a 401, and the code is a number.</summary>
    public static Task DeadTokenAsync(HttpContext context) => WithReasonAsync(context, 403, "Invalid access token.");

    /// <summary>403: a living token that may not do this. The code is a word, and another token of the user helps nothing.</summary>
    public static Task PermissionDeniedAsync(HttpContext context, string message) => WriteAsync(context, 403, "PERMISSION_DENIED", message);

    /// <summary>400: a field has a wrong value.</summary>
    public static Task InvalidAsync(HttpContext context, string message) => WriteAsync(context, 400, "INVALID_PARAMETER_VALUE", message);

    /// <summary>400: the body is no JSON object.</summary>
    public static Task MalformedAsync(HttpContext context) =>
        WriteAsync(context, 400, "MALFORMED_REQUEST", "Could not parse request object: expected a JSON object.");

    /// <summary>404: no such statement, or somebody else's.</summary>
    public static Task NoStatementAsync(HttpContext context) =>
        WriteAsync(context, 404, "NOT_FOUND", "The statement was not found: it never was, belongs to another user, or was forgotten.");

    /// <summary>429: too many statements wait.</summary>
    public static Task BusyAsync(HttpContext context)
    {
        context.Response.Headers.RetryAfter = "1";
        return WriteAsync(context, 429, "RESOURCE_EXHAUSTED", "Too many statements are waiting for the warehouse.");
    }

    /// <summary>An error with a code that is a word.</summary>
    public static Task WriteAsync(HttpContext context, int status, string code, string message) =>
        SendAsync(context, status, code, message);

    private static Task WithReasonAsync(HttpContext context, int status, string message)
    {
        context.Response.Headers["x-databricks-reason-phrase"] = message;
        return SendAsync(context, status, status, message);
    }

    private static Task SendAsync(HttpContext context, int status, JsonNode code, string message)
    {
        context.Response.StatusCode = status;
        return context.Response.WriteAsJsonAsync(new JsonObject { ["error_code"] = code, ["message"] = message }, context.RequestAborted);
    }
}
