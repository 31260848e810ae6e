namespace Postern.Vault.Tests;

[System.Runtime.Versioning.UnsupportedOSPlatform("windows")]
public sealed class DurableDirectoryTests
{
    [Fact]
    public void Flush_OfADirectory_Succeeds_AndOfNoneIsSaid()
    {
        var directory = Directory.CreateTempSubdirectory("postern-durable-").FullName;
        DurableDirectory.Flush(directory);
        Directory.Delete(directory);

        var refused = Assert.Throws<IOException>(() => DurableDirectory.Flush(directory));

        Assert.Contains(directory, refused.Message, StringComparison.Ordinal);
    }
}
