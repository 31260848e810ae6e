using Postern.Model;

namespace Postern.Grants;

/// <summary>
/// What a person is told while the key store does not give their tenant's key. The vault's own words are the operator's: they name the
/// service, its address and how it failed.
/// </summary>
internal static class KeysUnavailable
{
    /// <summary>The same refusal, with the same time to wait, in words for people.</summary>
    public static Refusal Of(Refusal why) => why with { Detail = "The key store does not give the key for this right now. Nothing is lost; try again shortly." };
}
