using System.CommandLine;
using Postern.Host.Configuration;

namespace Postern.Host.Cli;

/// <summary>What every verb with a configuration shares: the option, the reading, and the listing of all errors at once.</summary>
internal static class Configured
{
    /// <summary>Exit codes, the same for every verb.</summary>
    public const int Ok = 0, Failed = 1, BadConfiguration = 2;

    public static Option<FileInfo?> ConfigOption() => new("--config", "-c")
    {
        Description = "The configuration file; environment variables POSTERN__… override it. Default: appsettings.json here.",
    };

    public static Option<bool> JsonOption() => new("--json") { Description = "Print JSON." };

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
        catch (Exception broken) when (broken is InvalidDataException or FormatException)
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
}
