namespace Postern.Browser.Tests.Stage;

/// <summary>Where things lie in this checkout.</summary>
public static class Checkout
{
    /// <summary>The folder with <c>Postern.slnx</c>.</summary>
    public static string Root { get; } = FindRoot();

    /// <summary>The built dll of an executable, of the same configuration as these tests.</summary>
    public static string Executable(string project, string name)
    {
        var configuration = Path.GetFileName(Path.TrimEndingDirectorySeparator(AppContext.BaseDirectory));
        var file = Path.Combine(Root, "artifacts", "bin", project, configuration, name + ".dll");
        return File.Exists(file) ? file : throw new FileNotFoundException($"{project} is not built.", file);
    }

    public static string At(params string[] parts) => Path.Combine([Root, .. parts]);

    private static string FindRoot()
    {
        for (var folder = new DirectoryInfo(AppContext.BaseDirectory); folder is not null; folder = folder.Parent)
        {
            if (File.Exists(Path.Combine(folder.FullName, "Postern.slnx")))
                return folder.FullName;
        }
        throw new DirectoryNotFoundException("These tests run inside the checkout.");
    }
}
