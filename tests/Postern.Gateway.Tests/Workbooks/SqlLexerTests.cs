using CsCheck;
using Postern.Gateway.Workbooks;

namespace Postern.Gateway.Tests.Workbooks;

public sealed class SqlLexerTests
{
    [Theory]
    [InlineData("SELECT a::date FROM t WHERE b = :name", "name")]
    [InlineData("SELECT ':no' FROM t", "")]
    [InlineData("SELECT 'it''s :no' FROM t", "")]
    [InlineData("SELECT `:no` FROM t", "")]
    [InlineData("SELECT \":no\" FROM t", "")]
    [InlineData("SELECT $$ :no ' $$ FROM t", "")]
    [InlineData("SELECT $tag$ :no $$ $tag$ FROM t", "")]
    [InlineData("SELECT 1 -- :no\n WHERE a = :yes", "yes")]
    [InlineData("SELECT 1 /* :no */ WHERE a = :yes", "yes")]
    [InlineData("SELECT ( :range.from )", "range.from")]
    [InlineData("SELECT CAST( :a AS date)::timestamp", "a")]
    public void Read_Parameters_AreThoseOutsideQuotesAndComments(string sql, string expected)
    {
        var (tokens, problems) = SqlLexer.Read(sql);

        Assert.Empty(problems);
        var found = tokens.Where(token => token.Kind == SqlKind.Parameter).Select(token => token.Detail.Length == 0 ? token.Name : $"{token.Name}.{token.Detail}");
        Assert.Equal(expected, string.Join(',', found));
    }

    [Fact]
    public void Read_Brackets_AreFormsOnlyWhereTheyStandAlone()
    {
        var (tokens, problems) = SqlLexer.Read("SELECT arr[0], arr[idx], f(x)[1], [grain] FROM [rows main.flights f] [when states: AND a[1] = 2]");

        Assert.Empty(problems);
        Assert.Equal(["[grain]", "[rows main.flights f]", "[when states:", "]"],
            tokens.Where(token => token.Kind is SqlKind.Choice or SqlKind.Rows or SqlKind.WhenOpen or SqlKind.WhenClose).Select(token => token.Text));
    }

    [Theory]
    [InlineData("SELECT '{{ x }}'")]
    [InlineData("SELECT 1 -- {% if %}")]
    [InlineData("SELECT ${x}")]
    [InlineData("SELECT <% x %>")]
    [InlineData("SELECT {# x #}")]
    public void Read_Templating_IsRefusedEverywhere(string sql) => Refused(sql, "templating");

    [Theory]
    [InlineData("SELECT 'a\\'b'", "backslash")]
    [InlineData("SELECT `a\\`", "backslash")]
    [InlineData("SELECT 'open", "not closed")]
    [InlineData("SELECT \"open", "not closed")]
    [InlineData("SELECT /* open", "comment")]
    [InlineData("SELECT /* a /* b */ c */ 1", "comment")]
    [InlineData("SELECT 1; SELECT 2", "';'")]
    [InlineData("SELECT $1", "'$'")]
    [InlineData("SELECT $tag$ open", "'$'")]
    [InlineData("SELECT ?", "U+003F")]
    [InlineData("SELECT @x", "U+0040")]
    [InlineData("SELECT # x", "U+0023")]
    [InlineData("SELECT {'a': 1}", "U+007B")]
    [InlineData("SELECT col:path", "JSON")]
    [InlineData("SELECT `col`:path", "JSON")]
    [InlineData("SELECT 5 :Name", "':'")]
    [InlineData("SELECT x := 1", "':'")]
    [InlineData("SELECT [1, 2]", "'['")]
    [InlineData("SELECT [Grain]", "'['")]
    [InlineData("SELECT [when states AND 1]", "'['")]
    [InlineData("SELECT [rows flights]", "'['")]
    [InlineData("SELECT [rows flights f; x]", "'['")]
    [InlineData("SELECT [when states: AND 1", "not closed")]
    [InlineData("SELECT 1]", "closes nothing")]
    [InlineData("SELECT \u2019x\u2019", "U+2019")]
    [InlineData("SELECT \uFF07x\uFF07", "U+FF07")]
    [InlineData("SELECT fl\u0456ghts", "U+0456")]
    [InlineData("SELECT \0", "U+0000")]
    [InlineData("SELECT\u00A01", "U+00A0")]
    public void Read_WhatPlatformsReadDifferently_IsRefused(string sql, string word) => Refused(sql, word);

    [Fact]
    public void Read_Comments_BecomeOneSpace()
    {
        var (tokens, _) = SqlLexer.Read("SELECT/*a*/1--b");

        Assert.Equal("SELECT 1 ", string.Concat(tokens.Select(token => token.Text)));
    }

    [Fact]
    public void Read_AnyTextWithoutComments_IsKeptOrRefused() =>
        Gen.String[Gen.OneOf(Gen.Char, Gen.Char["  ''\"`$:[]()ab1.,-*/\\\n"]), 0, 40].Sample(text =>
        {
            var (tokens, problems) = SqlLexer.Read(text);
            return problems.Count > 0 || text.Contains("--", StringComparison.Ordinal) || text.Contains("/*", StringComparison.Ordinal)
                || string.Concat(tokens.Select(token => token.Text)) == text;
        }, iter: 50_000);

    private static void Refused(string sql, string word)
    {
        var problem = Assert.Single(SqlLexer.Read(sql).Problems, problem => problem.Problem.Contains(word, StringComparison.Ordinal));
        Assert.NotEmpty(problem.Remedy);
        Assert.Equal(1, problem.Line);
    }
}
