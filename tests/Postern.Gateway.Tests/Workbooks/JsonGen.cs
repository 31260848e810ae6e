using System.Text.Json.Nodes;
using CsCheck;

namespace Postern.Gateway.Tests.Workbooks;

/// <summary>JSON as a hostile browser might send it: the right names with the right, nearly right and wrong values.</summary>
internal static class JsonGen
{
    private static readonly Gen<string> Texts = Gen.OneOf(
        Gen.OneOf("CA", "TX", "day", "week", "2001-01-01", "2001-06-30", "", "'", "';--", "') OR 1=1 --", ":states", "[grain]", "${x}", "{{x}}", "\0", "\u2019", "-", "4"),
        Gen.String[Gen.Char, 0, 20]);

    private static readonly Gen<JsonNode?> Scalars = Gen.OneOf(
        Texts.Select(text => (JsonNode?)JsonValue.Create(text)),
        Gen.Int[-100, 2_000].Select(number => (JsonNode?)JsonValue.Create(number)),
        Gen.Double.Where(double.IsFinite).Select(number => (JsonNode?)JsonValue.Create(number)),
        Gen.Bool.Select(flag => (JsonNode?)JsonValue.Create(flag)),
        Gen.Const((JsonNode?)null));

    private static readonly Gen<JsonNode?> Lists = Texts.Array[0, 6].Select(items => (JsonNode?)new JsonArray([.. items.Select(item => JsonValue.Create(item))]));

    private static readonly Gen<JsonNode?> Ranges = Gen.Select(Gen.Int[0, 200], Gen.Int[0, 200]).Select((from, to) => (JsonNode?)new JsonObject
    {
        ["from"] = new DateOnly(2001, 1, 1).AddDays(from).ToString("yyyy-MM-dd"),
        ["to"] = new DateOnly(2001, 1, 1).AddDays(to).ToString("yyyy-MM-dd"),
    });

    private static readonly Gen<JsonNode?> Anything = Gen.OneOf(Scalars, Lists, Ranges);

    private static readonly Gen<(string Name, JsonNode? Value)> Members = Gen.Frequency(
        (6, Gen.OneOf(
            Ranges.Select(value => ("period", value)),
            Lists.Select(value => ("states", value)),
            Texts.Select(value => ("carrier", (JsonNode?)JsonValue.Create(value))),
            Gen.Int[-80, 1_500].Select(value => ("min_delay", (JsonNode?)JsonValue.Create(value))),
            Gen.OneOf("day", "week", "month").Select(value => ("grain", (JsonNode?)JsonValue.Create(value))))),
        (1, Gen.Select(Gen.OneOf(Gen.OneOf("period", "states", "carrier", "min_delay", "region", "grain", "period.from", "states__0", "subject__state__0"), Texts), Anything)));

    public static readonly Gen<string> Controls = Gen.Frequency(
        (9, Members.Array[0, 4].Select(members =>
        {
            var json = new JsonObject();
            foreach (var (name, value) in members)
                json[name] = value?.DeepClone();
            return json.ToJsonString();
        })),
        (1, Anything.Select(value => value?.ToJsonString() ?? "null")));
}
