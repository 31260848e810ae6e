namespace Postern.Sandbox.Platform.Sql;

/// <summary>
/// Case folding as the engine does it: A to Z only. The framework's case-insensitive comparisons know more letters, and a guard
/// that folds more than the engine can be led to believe two names are one.
/// </summary>
internal static class Ascii
{
    /// <summary>The text with A to Z lowered and everything else as it was.</summary>
    public static string Fold(string text) =>
        string.Create(text.Length, text, (span, source) =>
        {
            for (var i = 0; i < span.Length; i++)
                span[i] = source[i] is >= 'A' and <= 'Z' ? (char)(source[i] | 0x20) : source[i];
        });
}
