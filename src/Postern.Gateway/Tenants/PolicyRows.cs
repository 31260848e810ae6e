using System.Collections.Immutable;
using System.Text.Json;
using System.Text.Json.Nodes;
using Postern.Grants.Definitions;
using Postern.Model;
using Postern.Policy;
using Postern.Store;

namespace Postern.Gateway.Tenants;

/// <summary>Table policies as definition rows. The tree is written node by node, so that a body holds nothing but these words.</summary>
public static class PolicyRows
{
    /// <summary>The body of a policy.</summary>
    public static string Write(TablePolicy policy) => new JsonObject
    {
        ["name"] = policy.Name,
        ["table"] = policy.Table,
        ["rows"] = Write(policy.Rows),
        ["masks"] = new JsonObject(policy.Masks.Select(mask => KeyValuePair.Create<string, JsonNode?>(mask.Key, mask.Value.ToString()))),
    }.ToJsonString();

    /// <summary>Reads a body back.</summary>
    /// <exception cref="JsonException">The body was not written by <see cref="Write(TablePolicy)"/>.</exception>
    public static TablePolicy Read(string body, long revision)
    {
        var json = JsonNode.Parse(body) as JsonObject ?? throw new JsonException("A policy's body is no object.");
        var masks = (json["masks"] as JsonObject ?? []).ToImmutableSortedDictionary(
            mask => mask.Key, mask => Enum.Parse<ColumnMask>(Text(mask.Value)), StringComparer.OrdinalIgnoreCase);
        return new TablePolicy(Text(json["name"]), Text(json["table"]), ReadFilter(json["rows"]), masks, revision);
    }

    /// <summary>All policies of a tenant as they stand.</summary>
    internal static async ValueTask<ImmutableArray<TablePolicy>> CurrentAsync(DefinitionBook definitions, TenantId tenant, CancellationToken cancellation) =>
        [.. (await definitions.RowsAsync(tenant, DefinitionKind.Policy, cancellation)).Select(row => Read(row.Body, row.Revision))];

    private static JsonObject Write(RowFilter filter) => filter switch
    {
        RowFilter.In leaf => new() { ["in"] = new JsonArray(leaf.Column, leaf.Attribute) },
        RowFilter.Lookup lookup => new() { ["lookup"] = new JsonArray(lookup.Column, lookup.Table, lookup.Key), ["where"] = Write(lookup.Where) },
        RowFilter.And and => new() { ["and"] = new JsonArray(Write(and.Left), Write(and.Right)) },
        RowFilter.Or or => new() { ["or"] = new JsonArray(Write(or.Left), Write(or.Right)) },
        RowFilter.Everything => new() { ["everything"] = true },
        _ => new() { ["nothing"] = true },
    };

    private static RowFilter ReadFilter(JsonNode? node)
    {
        if (node is not JsonObject json)
            throw new JsonException("A row filter is no object.");
        if (json["in"] is JsonArray { Count: 2 } leaf)
            return new RowFilter.In(Text(leaf[0]), Text(leaf[1]));
        if (json["lookup"] is JsonArray { Count: 3 } lookup)
            return new RowFilter.Lookup(Text(lookup[0]), Text(lookup[1]), Text(lookup[2]), ReadFilter(json["where"]));
        if (json["and"] is JsonArray { Count: 2 } and)
            return new RowFilter.And(ReadFilter(and[0]), ReadFilter(and[1]));
        if (json["or"] is JsonArray { Count: 2 } or)
            return new RowFilter.Or(ReadFilter(or[0]), ReadFilter(or[1]));
        if (json.ContainsKey("everything"))
            return new RowFilter.Everything();
        return json.ContainsKey("nothing") ? new RowFilter.Nothing() : throw new JsonException("A row filter of an unknown kind.");
    }

    private static string Text(JsonNode? node) => node?.GetValue<string>() ?? throw new JsonException("A text is missing.");
}
