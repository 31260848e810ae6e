using System.CommandLine;
using System.Text.Json.Nodes;
using Postern.Host.Cli;

namespace Postern.Host.Tests;

/// <summary>What a verb did.</summary>
internal sealed record Ran(int Code, string Output, string Error)
{
    public JsonNode Json => JsonNode.Parse(Output)!;
}

/// <summary>Runs verbs in this process.</summary>
internal static class Verb
{
    public static async Task<Ran> RunAsync(params string[] arguments)
    {
        using var output = new StringWriter();
        using var error = new StringWriter();
        var invocation = new InvocationConfiguration { Output = output, Error = error, EnableDefaultExceptionHandler = false };
        var code = await PosternCommand.Create().Parse(arguments).InvokeAsync(invocation, TestContext.Current.CancellationToken);
        return new(code, output.ToString(), error.ToString());
    }
}
