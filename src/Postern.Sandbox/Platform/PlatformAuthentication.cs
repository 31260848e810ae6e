namespace Postern.Sandbox.Platform;

/// <summary>Who calls the platform: the bearer, judged as the real platform judges it.</summary>
internal static class PlatformAuthentication
{
    private const string Scheme = "Bearer ";

    /// <summary>The caller; null when the refusal is already written.</summary>
    public static async Task<Caller?> AuthenticateAsync(HttpContext context, ITokenReader tokens)
    {
        var header = context.Request.Headers.Authorization;
        if (header is not [{ } value] || !value.StartsWith(Scheme, StringComparison.OrdinalIgnoreCase) || value.Length == Scheme.Length)
        {
            await PlatformErrors.NoCredentialAsync(context);
            return null;
        }

        var caller = await tokens.ReadAsync(value[Scheme.Length..].Trim(), context.RequestAborted);
        if (caller is null)
            await PlatformErrors.DeadTokenAsync(context);
        return caller;
    }

    /// <summary>The caller with a scope that reaches SQL; null when the refusal is already written.</summary>
    public static async Task<Caller?> AuthenticateForSqlAsync(HttpContext context, ITokenReader tokens)
    {
        var caller = await AuthenticateAsync(context, tokens);
        if (caller is null || caller.Scopes.Contains("sql") || caller.Scopes.Contains("all-apis"))
            return caller;
        await PlatformErrors.PermissionDeniedAsync(context, "Provided OAuth token does not have required scopes: sql");
        return null;
    }
}
