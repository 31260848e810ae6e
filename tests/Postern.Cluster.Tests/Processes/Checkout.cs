namespace Postern.Cluster.Tests.Processes;

/// <summary>Where things are in the checkout.</summary>
internal static class Checkout
{
    /// <summary>The folder of the solution.</summary>
    public static string Root { get; } = FindRoot();

    /// <summary>A path of the checkout.</summary>
    public static string Path(string relative) => System.IO.Path.Combine(Root, relative);

    /// <summary>An executable built beside these tests, in the same configuration.</summary>
    public static string Assembly(string project, string name)
    {
        var configuration = System.IO.Path.GetFileName(System.IO.Path.TrimEndingDirectorySeparator(AppContext.BaseDirectory));
        var file = System.IO.Path.Combine(Root, "artifacts", "bin", project, configuration, name + ".dll");
        return File.Exists(file) ? file : throw new FileNotFoundException($"{name} is not built.", file);
    }

    private static string FindRoot()
    {
        for (var folder = new DirectoryInfo(AppContext.BaseDirectory); folder is not null; folder = folder.Parent)
        {
            if (File.Exists(System.IO.Path.Combine(folder.FullName, "Postern.slnx")))
                return folder.FullName;
        }
        throw new DirectoryNotFoundException("These tests run inside the checkout.");
    }
}
