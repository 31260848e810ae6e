namespace Postern.Host.Tests;

/// <summary>Files of the repository that tests hold against the code.</summary>
internal static class Checkout
{
    private static readonly string Root = FindRoot();

    public static string PathOf(string relative) => Path.Combine(Root, relative);

    public static string Read(string relative) => File.ReadAllText(PathOf(relative));

    private static string FindRoot()
    {
        for (var folder = new DirectoryInfo(AppContext.BaseDirectory); folder is not null; folder = folder.Parent)
        {
            if (File.Exists(Path.Combine(folder.FullName, "Postern.slnx")))
                return folder.FullName;
        }
        throw new InvalidOperationException("The tests run outside the checkout.");
    }
}
