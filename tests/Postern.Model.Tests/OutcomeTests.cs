using Postern.Model;

namespace Postern.Model.Tests;

public sealed class OutcomeTests
{
    [Fact]
    public void Outcome_Value_IsGotWithoutRefusal()
    {
        Outcome<string> outcome = "yes";
        Assert.True(outcome.TryGet(out var value, out var why));
        Assert.Equal("yes", value);
        Assert.Null(why);
    }

    [Fact]
    public void Outcome_Refusal_IsGotWithoutValue()
    {
        Outcome<string> outcome = new Refusal(RefusalKind.Forbidden, "No.");
        Assert.False(outcome.TryGet(out _, out var why));
        Assert.Equal(RefusalKind.Forbidden, why.Kind);
        Assert.Equal("Forbidden", why.Code);
    }

    [Fact]
    public void Outcome_Default_IsARefusalAndNeverASuccess() => Assert.False(default(Outcome<string>).TryGet(out _, out _));

    [Fact]
    public async Task SingleFlight_OneCallerGivesUp_TheOthersGetTheAnswer()
    {
        var flights = new SingleFlight<string, int>(TimeSpan.FromMinutes(1), TimeProvider.System);
        var answer = new TaskCompletionSource<int>();
        var runs = 0;
        using var hangsUp = new CancellationTokenSource();
        Task<int> Fly(CancellationToken token) => flights.RunAsync("key", _ =>
        {
            Interlocked.Increment(ref runs);
            return answer.Task;
        }, token);

        var first = Fly(hangsUp.Token);
        var others = Enumerable.Range(0, 49).Select(_ => Fly(CancellationToken.None)).ToArray();
        await hangsUp.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => first);
        answer.SetResult(7);

        Assert.All(await Task.WhenAll(others), value => Assert.Equal(7, value));
        Assert.Equal(1, runs);
    }
}
