using Postern.Model;
using static Postern.Policy.Tests.People;

namespace Postern.Policy.Tests;

/// <summary>Another person's consent is never stored under this one (R3).</summary>
public sealed class PrincipalMatchTests
{
    private static readonly Connection ByEmail = Connect("lakehouse", IdentityMode.User);

    [Theory]
    [InlineData("ana@skyline.example", "ana@skyline.example")]
    [InlineData("ana@skyline.example", "Ana@Skyline.EXAMPLE")]
    [InlineData("jürgen@skyline.example", "JüRGEN@skyline.example")]
    public void Judge_SameAddress_Matches(string own, string theirs) => Assert.Null(ByAddress(own, theirs));

    [Theory]
    [InlineData("ana@skyline.example", "ben@skyline.example")]
    [InlineData("ana@skyline.example", "ana@skyline.example.attacker.example")]
    [InlineData("ana@skyline.example", "ana@attacker.example")]
    [InlineData("ana@skyline.example", "ana+x@skyline.example")]
    [InlineData("ana@skyline.example", "a.na@skyline.example")]
    [InlineData("ana@skyline.example", " ana@skyline.example")]
    [InlineData("ana@skyline.example", "ana@skyline.example ")]
    [InlineData("ana@skyline.example", "ana@skyline.example\n")]
    [InlineData("ana@skyline.example", "ana@skyline.example\0")]
    [InlineData("ana@skyline.example", "ana\u200B@skyline.example")]
    [InlineData("ana@skyline.example", "\u0430na@skyline.example")]
    [InlineData("ana@skyline.example", "ana@s\u212Ayline.example")]
    [InlineData("ana@skyline.example", "ana@\u017Fkyline.example")]
    [InlineData("ana@skyline.example", "\uFF41na@skyline.example")]
    [InlineData("ana@skyline.example", "ana\uFF20skyline.example")]
    [InlineData("ina@skyline.example", "\u0131na@skyline.example")]
    [InlineData("ina@skyline.example", "\u0130na@skyline.example")]
    [InlineData("j\u00FCrgen@skyline.example", "ju\u0308rgen@skyline.example")]
    [InlineData("j\u00FCrgen@skyline.example", "J\u00DCRGEN@skyline.example")]
    [InlineData("stra\u00DFe@skyline.example", "strasse@skyline.example")]
    [InlineData("a[a@skyline.example", "a{a@skyline.example")]
    [InlineData("ana@skyline.example", "ana`@skyline.example")]
    public void Judge_Lookalike_NeverMatches(string own, string theirs)
    {
        Assert.Equal("principal-mismatch", ByAddress(own, theirs)?.Code);
        Assert.Equal("principal-mismatch", ByAddress(theirs, own)?.Code);
    }

    [Theory]
    [InlineData("")]
    [InlineData("ana")]
    [InlineData("@")]
    [InlineData("@skyline.example")]
    [InlineData("ana@")]
    [InlineData("ana@skyline.example@skyline.example")]
    [InlineData("ana@@skyline.example")]
    [InlineData("a na@skyline.example")]
    [InlineData("ana\t@skyline.example")]
    [InlineData("\u200Bana@skyline.example")]
    public void Judge_NoAddress_MatchesNotEvenItself(string text) => Assert.Equal("principal-mismatch", ByAddress(text, text)?.Code);

    [Fact]
    public void Judge_PlatformGaveNoEmail_ComparesTheName()
    {
        var subject = WithEmail("ana@skyline.example");

        Assert.Null(PrincipalMatch.Judge(ByEmail, subject, new(Issuer, "7", "Ana@skyline.example")).Refusal);
        Assert.Equal("principal-mismatch", PrincipalMatch.Judge(ByEmail, subject, new(Issuer, "7", "Ana Ortega")).Refusal?.Code);
    }

    [Fact]
    public void Judge_PlatformGaveAnEmail_TheNameDoesNotCount() =>
        Assert.Equal("principal-mismatch", PrincipalMatch.Judge(ByEmail, WithEmail("ana@skyline.example"), new(Issuer, "7", "ana@skyline.example", "ben@skyline.example")).Refusal?.Code);

    [Fact]
    public void Judge_SubjectWithoutOrWithSeveralAddresses_MatchesNobody()
    {
        var principal = new PlatformPrincipal(Issuer, "7", "Ana", "ana@skyline.example");

        Assert.NotNull(PrincipalMatch.Judge(ByEmail, Person(), principal).Refusal);
        Assert.NotNull(PrincipalMatch.Judge(ByEmail, Person(("email", [])), principal).Refusal);
        Assert.NotNull(PrincipalMatch.Judge(ByEmail, Person(("email", ["ana@skyline.example", "ben@skyline.example"])), principal).Refusal);
        Assert.NotNull(PrincipalMatch.Judge(ByEmail, Person(("Email", ["ana@skyline.example"])), principal).Refusal);
    }

    [Theory]
    [InlineData("u-7", true)]
    [InlineData("ana.ortega", true)]
    [InlineData("Ana.Ortega", false)]
    [InlineData("u-7 ", false)]
    [InlineData("ana@skyline.example", false)]
    public void Judge_NamedAttribute_IsTheIdOrNameByteForByte(string value, bool matches)
    {
        var connection = Connect("lakehouse", IdentityMode.User, match: new IdentityMatch("platform_id"));
        var principal = new PlatformPrincipal(Issuer, "u-7", "ana.ortega", "ana@skyline.example");

        Assert.Equal(matches, PrincipalMatch.Judge(connection, Person(("platform_id", [value])), principal).Refusal is null);
    }

    [Fact]
    public void Judge_EmptyNamedAttribute_NeverMatchesAnEmptyId()
    {
        var connection = Connect("lakehouse", IdentityMode.User, match: new IdentityMatch("platform_id"));

        Assert.NotNull(PrincipalMatch.Judge(connection, Person(("platform_id", [""])), new(Issuer, "", "")).Refusal);
    }

    [Fact]
    public void Judge_UnsafeAny_TakesAnybodyOfTheIssuerAndNobodyElse()
    {
        var connection = Connect("lakehouse", IdentityMode.User, match: IdentityMatch.UnsafeAny);

        Assert.Null(PrincipalMatch.Judge(connection, Person(), new(Issuer, "9", "service-principal")).Refusal);
        Assert.Equal("principal-issuer", PrincipalMatch.Judge(connection, Person(), new(Issuer + "/", "9", "service-principal")).Refusal?.Code);
    }

    [Fact]
    public void Judge_AnotherTenantsConnection_IsUntrusted()
    {
        var connection = Connect("lakehouse", IdentityMode.User, match: IdentityMatch.UnsafeAny, tenant: TenantId.Parse("other"));

        Assert.Equal(RefusalKind.Untrusted, PrincipalMatch.Judge(connection, Person(), new(Issuer, "9", "x")).Refusal?.Kind);
    }

    [Fact]
    public void Judge_Mismatch_NamesBothAndNothingThatFoolsTheEye()
    {
        var refusal = PrincipalMatch.Judge(ByEmail, WithEmail("ana@skyline.example"), new(Issuer, "7", "x", "ben@\u202Eskyline.example\r\n" + new string('z', 500))).Refusal!;

        Assert.Contains("ana@skyline.example", refusal.Detail, StringComparison.Ordinal);
        Assert.Contains("ben@skyline.example", refusal.Detail, StringComparison.Ordinal);
        Assert.DoesNotContain('\u202E', refusal.Detail);
        Assert.DoesNotContain('\n', refusal.Detail);
        Assert.InRange(refusal.Detail.Length, 1, 500);
        Assert.Equal(RefusalKind.Forbidden, refusal.Kind);
    }

    private static Refusal? ByAddress(string own, string theirs) =>
        PrincipalMatch.Judge(ByEmail, WithEmail(own), new PlatformPrincipal(Issuer, "7", "Somebody", theirs)).Refusal;
}
