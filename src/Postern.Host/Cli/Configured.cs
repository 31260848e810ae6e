using System.CommandLine;
using System.CommandLine.Parsing;
using System.Text.Json;
using System.Text.Json.Serialization;
using Postern.Host.Configuration;
using Postern.Model;

namespace Postern.Host.Cli;

/// <summary>What every verb with a configuration shares: the options, the reading with all errors at once, and how failures are told.</summary>
internal static class Configured
{
    /// <summary>Exit codes, the same for every verb.</summary>
    public const int Ok = 0, Failed = 1, BadConfiguration = 2;

    /// <summary>Whoever runs the command, as events name them.</summary>
    public static string Operator => "operator:" + Environment.UserName;

    /// <summary>How verbs print data.</summary>
    public static JsonSerializerOptions Json { get; } = new(JsonSerializerDefaults.Web)
    {
        DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull,
        Converters = { new JsonStringEnumConverter(JsonNamingPolicy.KebabCaseLower) },
    };

    public static Option<FileInfo?> ConfigOption() => new("--config", "-c")
    {
        Description = "The configuration file; environment variables POSTERN__… override it. Default: appsettings.json here.",
    };

    public static Option<bool> JsonOption() => new("--json") { Description = "Print JSON." };

    public static Option<TenantId?> TenantOption(string description, bool required) => new("--tenant", "-t")
    {
        Description = description,
        Required = required,
        CustomParser = result => TenantId.TryParse(Text(result), out var id) ? id : Refuse<TenantId?>(result, "tenant"),
    };

    public static Option<ConnectionId?> ConnectionOption(string description) => new("--connection")
    {
        Description = description,
        CustomParser = result => ConnectionId.TryParse(Text(result), out var id) ? id : Refuse<ConnectionId?>(result, "connection"),
    };

    /// <summary>Reads the configuration and works with it; failures that an operator can mend become one sentence on standard error.</summary>
    public static async Task<int> RunAsync(ParseResult command, Option<FileInfo?> config, Func<PosternSettings, TextWriter, Task<int>> work)
    {
        var invocation = command.InvocationConfiguration;
        return Read(command.GetValue(config), invocation.Error) is { } settings
            ? await GuardAsync(settings, invocation.Error, () => work(settings, invocation.Output))
            : BadConfiguration;
    }

    /// <summary>Tells the failures of <see cref="Failures"/>; every other one goes on.</summary>
    public static async Task<int> GuardAsync(PosternSettings settings, TextWriter error, Func<Task<int>> work)
    {
        try
        {
            return await work();
        }
        catch (Exception failure) when (Failures.Describe(failure, settings) is { } sentence)
        {
            await error.WriteLineAsync(sentence);
            return Failed;
        }
    }

    /// <summary>The settings, or null after every error was written to standard error.</summary>
    public static PosternSettings? Read(FileInfo? file, TextWriter error)
    {
        var path = file?.FullName ?? Path.GetFullPath("appsettings.json");
        if (!File.Exists(path))
        {
            error.WriteLine($"There is no configuration file {path}. Name one with --config, or write one: docs/reference/configuration.md.");
            return null;
        }
        IConfiguration configuration;
        try
        {
            configuration = new ConfigurationBuilder().AddJsonFile(path).AddEnvironmentVariables().Build();
        }
        catch (Exception broken) when (broken is InvalidDataException or FormatException or IOException or UnauthorizedAccessException)
        {
            error.WriteLine($"{path} is not readable as JSON: {broken.InnerException?.Message ?? broken.Message}");
            return null;
        }
        var result = ConfigurationReader.Read(configuration);
        if (result.Settings is { } settings)
            return settings;
        error.WriteLine($"{path} has {result.Problems.Length} {(result.Problems.Length == 1 ? "error" : "errors")}:");
        foreach (var problem in result.Problems)
            error.WriteLine("  " + problem);
        return null;
    }

    /// <summary>Whether an option stands on the command line, whatever its value: validators run before values are known to be good.</summary>
    public static bool IsGiven(CommandResult command, Option option) => command.GetResult(option) is { Implicit: false };

    private static string Text(ArgumentResult result) => result.Tokens[0].Value;

    private static T? Refuse<T>(ArgumentResult result, string what)
    {
        result.AddError(Slug.Remedy(what, Text(result)));
        return default;
    }
}
