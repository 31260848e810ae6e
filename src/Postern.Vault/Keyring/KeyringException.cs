namespace Postern.Vault;

/// <summary>Why a keyring is not used.</summary>
public enum KeyringProblem
{
    /// <summary>There is none, and none was asked to be made.</summary>
    Missing,
    /// <summary>Group or others may read or enter it.</summary>
    NotPrivate,
    /// <summary>It belongs to another user than the process.</summary>
    OtherOwner,
    /// <summary>The file or its directory is a symbolic link.</summary>
    SymbolicLink,
    /// <summary>The directory is not one, or the file is no regular file.</summary>
    NotAFile,
    /// <summary>It lies in a folder that is copied together with the records.</summary>
    InsideDatabaseFolder,
    /// <summary>Its content is not a keyring of this version.</summary>
    Malformed,
    /// <summary>It was made for another deployment.</summary>
    OtherDeployment,
    /// <summary>It is sealed, and the settings do not open it.</summary>
    Locked,
    /// <summary>The passphrase or wrapping key is too short to protect anything.</summary>
    WeakSecret,
    /// <summary>Another process is changing it.</summary>
    Busy,
    /// <summary>The operating system cannot say who may read a file in the way that this store checks.</summary>
    UnsupportedPlatform,
}

/// <summary>The file keyring is not safe or not usable. The message names the path and what to do, never a key.</summary>
/// <param name="problem">Why.</param>
/// <param name="message">What is wrong, where, and the remedy.</param>
/// <param name="inner">The cause, if the system gave one.</param>
public sealed class KeyringException(KeyringProblem problem, string message, Exception? inner = null) : Exception(message, inner)
{
    /// <summary>Why.</summary>
    public KeyringProblem Problem { get; } = problem;

    internal static KeyringException UnsupportedPlatform() => new(
        KeyringProblem.UnsupportedPlatform,
        "The file keyring needs Unix file modes. Use a key management service, or run in a Linux container.");
}
