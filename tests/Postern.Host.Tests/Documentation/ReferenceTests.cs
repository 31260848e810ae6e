using System.CommandLine;
using System.Globalization;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using Microsoft.AspNetCore.Routing;
using Postern.Host.Cli;
using Postern.Host.Composition;
using Postern.Model;

namespace Postern.Host.Tests.Documentation;

/// <summary>The reference pages say what the code has: nothing less, and nothing that is gone.</summary>
public sealed partial class ReferenceTests : IDisposable
{
    private readonly TempFolder folder = new();

    public void Dispose() => folder.Dispose();

    [Fact]
    public void EventsPage_ListsEveryKindAndNoOther()
    {
        var told = Pages.Rows(Checkout.Read("docs/reference/events.md")).Where(cells => int.TryParse(cells[0], CultureInfo.InvariantCulture, out _))
            .Select(cells => $"{cells[0]} {Pages.Codes(cells[1]).Single()}");

        Assert.Equal(Enum.GetValues<EventKind>().Select(kind => $"{(int)kind} {kind}").Order(StringComparer.Ordinal), told.Order(StringComparer.Ordinal));
    }

    [Fact]
    public async Task HttpPage_ListsEveryRouteAndNoOther()
    {
        await using var app = PosternApplication.Build(Given.Read(Given.Demo(folder)).Settings!, Given.FrontEnd(folder), new Uri("http://127.0.0.1:0"));
        var mapped = ((IEndpointRouteBuilder)app).DataSources.SelectMany(source => source.Endpoints).OfType<RouteEndpoint>()
            .SelectMany(route => route.Metadata.GetRequiredMetadata<HttpMethodMetadata>().HttpMethods.Select(method => $"{method} {Plain(route.RoutePattern.RawText!)}"));

        var told = Pages.Rows(Checkout.Read("docs/reference/http.md")).SelectMany(cells => Pages.Codes(cells[0]))
            .Where(call => Call().IsMatch(call)).Where(call => !call.EndsWith('…'));

        Assert.Equal(mapped.Order(StringComparer.Ordinal), told.Order(StringComparer.Ordinal));
    }

    [Fact]
    public void CliPage_ListsEveryVerbAndOptionAndNoOther()
    {
        var verbs = Leaves(PosternCommand.Create(), "postern").ToDictionary(
            verb => verb.Path, verb => verb.Command.Options.SelectMany(option => option.Aliases.Append(option.Name)).Order(StringComparer.Ordinal).ToList());
        var told = Pages.Sections("docs/reference/cli.md").Where(section => section.Key.StartsWith('`')).ToDictionary(
            section => section.Key.Trim('`'),
            section => Pages.Rows(section.Value).SelectMany(cells => Pages.Codes(cells[0])).Where(code => code.StartsWith('-')).Order(StringComparer.Ordinal).ToList());

        Assert.Equal(verbs.Keys.Order(StringComparer.Ordinal), told.Keys.Order(StringComparer.Ordinal));
        Assert.All(verbs, verb => Assert.Equal($"{verb.Key}: {string.Join(' ', verb.Value)}", $"{verb.Key}: {string.Join(' ', told[verb.Key])}"));
    }

    [Fact]
    public void ConfigurationPage_ListsEveryKeyOfTheSchemaAndNoOther()
    {
        var schema = JsonNode.Parse(File.ReadAllText(Path.Combine(AppContext.BaseDirectory, "postern.schema.json")))!;
        var roots = schema["definitions"]!.AsObject().Select(definition => definition.Value!).Append(schema["properties"]!["Postern"]!);
        var keys = roots.SelectMany(root => Keys(root, "")).ToList();

        // The page describes a client registration once, for connections and for the sign-in; `{name}` stands for a name that people choose.
        var told = Pages.Rows(Checkout.Read("docs/reference/configuration.md")).Where(cells => cells.Length == 4 && cells[0] != "key")
            .SelectMany(cells => Pages.Codes(cells[0])).Select(Bare).ToHashSet();

        // A section is told by its keys.
        Assert.Empty(keys.Where(key => !key.IsSection).Select(key => Bare(key.Path)).Except(told).Order(StringComparer.Ordinal));
        Assert.Empty(told.Except(keys.Select(key => Bare(key.Path))).Order(StringComparer.Ordinal));
    }

    private static string Bare(string key) => Registration().Replace(key, "");

    private static IEnumerable<(string Path, bool IsSection)> Keys(JsonNode section, string path)
    {
        foreach (var (name, value) in section["properties"]?.AsObject() ?? [])
        {
            var inner = Keys(value!, $"{path}{name}:").ToList();
            yield return (path + name, inner.Count > 0);
            foreach (var key in inner)
                yield return key;
        }
    }

    private static IEnumerable<(string Path, Command Command)> Leaves(Command command, string path) => command.Subcommands.Count == 0
        ? [(path, command)]
        : command.Subcommands.SelectMany(child => Leaves(child, $"{path} {child.Name}"));

    private static string Plain(string pattern) => Constraint().Replace(pattern, "}");

    [GeneratedRegex(":[a-z]+}")]
    private static partial Regex Constraint();

    [GeneratedRegex("^(GET|POST|PUT|DELETE) /")]
    private static partial Regex Call();

    [GeneratedRegex(@"^(Authorization|SignIn):|:\{\w+\}$")]
    private static partial Regex Registration();
}
