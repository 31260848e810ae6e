using System.Text.Json;
using Postern.Grants.Definitions;
using Postern.Model;
using Postern.Store;
using Postern.Vault;

namespace Postern.Grants.Keys;

/// <summary>The sealed client secret in the body of a tenant's or connection's definition.</summary>
/// <param name="Record">The record.</param>
/// <param name="Context">Where it belongs.</param>
/// <param name="Write">The body with another record in its place, and otherwise as it was read.</param>
internal sealed record DefinitionSecret(byte[] Record, RecordContext Context, Func<byte[], string> Write)
{
    /// <summary>The secret of a row; null when it has none, or its body is not readable.</summary>
    public static DefinitionSecret? Of(DefinitionRow row)
    {
        try
        {
            return (row.IsRetired ? null : (DefinitionKind?)row.Kind) switch
            {
                DefinitionKind.Tenant => Of(row, DefinitionJson.Read<Tenant>(row.Body), DefinitionJudge.SignInContext),
                DefinitionKind.Connection => Of(row, DefinitionJson.Read<Connection>(row.Body), DefinitionJudge.SecretContext),
                _ => null,
            };
        }
        catch (JsonException)
        {
            // Edited, which its MAC tells.
            return null;
        }
    }

    private static DefinitionSecret? Of<T>(DefinitionRow row, Body<T> body, Func<T, RecordContext> context) where T : class => body.SealedSecret is { } record
        ? new(record, context(body.Definition), other => row.Body.Replace(Member(record), Member(other), StringComparison.Ordinal))
        : null;

    // In the text itself: a body that is read and written again may differ in what it leaves out, and the configuration is compared with it.
    private static string Member(byte[] record) => "\"sealedSecret\":" + JsonSerializer.Serialize(record);
}
