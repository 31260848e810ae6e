namespace Postern.Sandbox.Platform.Data;

/// <summary>Where the files of the npm package vega-datasets lie.</summary>
internal sealed class DataFiles
{
    /// <summary>The environment variable that names the folder.</summary>
    public const string Variable = "POSTERN_SANDBOX_DATA";

    private const string InCheckout = "web/node_modules/vega-datasets/data";
    private readonly string directory;

    private DataFiles(string directory) => this.directory = directory;

    /// <summary>Finds the folder: by option, by environment variable, then upwards from here for the checkout.</summary>
    /// <exception cref="InvalidOperationException">A file is missing; the message says what to run.</exception>
    public static DataFiles Find(PlatformOptions options)
    {
        var named = options.DataDirectory ?? Environment.GetEnvironmentVariable(Variable);
        var directory = string.IsNullOrEmpty(named) ? Upwards() : named;
        var missing = Catalog.Tables.Select(table => table.File)
            .Where(file => directory is null || !File.Exists(Path.Combine(directory, file))).ToList();
        return directory is not null && missing.Count == 0
            ? new(Path.GetFullPath(directory))
            : throw new InvalidOperationException(
                $"The sandbox finds no demo data: {string.Join(", ", missing)} missing in {directory ?? InCheckout}. "
                + $"Run `npm ci` in web/ (it installs vega-datasets), or name the folder in {Variable}.");
    }

    /// <summary>The path of one file.</summary>
    public string this[string file] => Path.Combine(directory, file);

    private static string? Upwards() =>
        ((string[])[Environment.CurrentDirectory, AppContext.BaseDirectory])
            .SelectMany(Ancestors)
            .Select(folder => Path.Combine(folder, InCheckout))
            .FirstOrDefault(Directory.Exists);

    private static IEnumerable<string> Ancestors(string start)
    {
        for (var folder = new DirectoryInfo(start); folder is not null; folder = folder.Parent)
            yield return folder.FullName;
    }
}
