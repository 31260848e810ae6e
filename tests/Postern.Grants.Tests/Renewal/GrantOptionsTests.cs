namespace Postern.Grants.Tests.Renewal;

/// <summary>The times of the token lifecycle against the timeout of the requests they are about.</summary>
public sealed class GrantOptionsTests
{
    [Theory]
    [InlineData(10, true)]
    [InlineData(15, true)]
    [InlineData(16, false)]
    [InlineData(31, false)]
    public void Check_RequestTimeoutLongerThanASendingAllows_IsRefusedAtTheStart(int seconds, bool allowed)
    {
        var checking = Record.Exception(() => new GrantOptions().Check(TimeSpan.FromSeconds(seconds)));

        Assert.Equal(allowed, checking is null);
        Assert.True(checking is null or ArgumentException);
    }

    [Fact]
    public void Check_ClaimShorterThanARequest_IsRefusedAtTheStart() =>
        Assert.Throws<ArgumentException>(() => new GrantOptions { ClaimFor = TimeSpan.FromSeconds(9) }.Check(TimeSpan.FromSeconds(10)));
}
