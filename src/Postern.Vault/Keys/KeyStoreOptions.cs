namespace Postern.Vault;

/// <summary>What the options of all key stores share.</summary>
internal static class KeyStoreOptions
{
    /// <summary>Throws with all errors.</summary>
    /// <exception cref="ArgumentException">There is an error; the message lists every one.</exception>
    public static void Check(IEnumerable<string> errors)
    {
        var all = errors.ToList();
        if (all.Count > 0)
            throw new ArgumentException("The key store's settings are wrong:\n- " + string.Join("\n- ", all));
    }
}
