using Postern.Model;

namespace Postern.Grants.Tests.Support;

internal static class Expect
{
    public static T Value<T>(this Outcome<T> outcome) where T : notnull
    {
        Assert.True(outcome.TryGet(out var value, out var refusal), $"refused: {refusal?.Kind} {refusal?.Code}: {refusal?.Detail}");
        return value;
    }

    public static Refusal Refused<T>(this Outcome<T> outcome, RefusalKind kind) where T : notnull
    {
        Assert.NotNull(outcome.Refusal);
        Assert.Equal(kind, outcome.Refusal.Kind);
        return outcome.Refusal;
    }

    /// <summary>The token that a bearer writes.</summary>
    public static string Token(this IBearer bearer)
    {
        using var request = new HttpRequestMessage(HttpMethod.Get, "https://platform.test/statements");
        bearer.Authorize(request);
        return request.Headers.Authorization!.Parameter!;
    }
}
