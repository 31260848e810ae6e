// The file keyring, which every test's vault stands on, is one of Unix file modes.
[assembly: System.Runtime.Versioning.UnsupportedOSPlatform("windows")]
