using System.Text.Json.Serialization;
using Postern.Gateway.Connect;
using Postern.Gateway.Embedding;
using Postern.Gateway.Health;
using Postern.Gateway.Http;
using Postern.Gateway.Portal;

namespace Postern.Gateway;

/// <summary>The bodies of the browser's and the hosts' API, compiled: camelCase, absent instead of null.</summary>
[JsonSourceGenerationOptions(
    PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase,
    DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull,
    MaxDepth = 16)]
[JsonSerializable(typeof(ProblemBody))]
[JsonSerializable(typeof(BeginConnect))]
[JsonSerializable(typeof(ConnectHandle))]
[JsonSerializable(typeof(ConfirmConnect))]
[JsonSerializable(typeof(BegunConnectBody))]
[JsonSerializable(typeof(ConnectIntroductionBody))]
[JsonSerializable(typeof(AuthorizeBody))]
[JsonSerializable(typeof(ConfirmedBody))]
[JsonSerializable(typeof(EmbedCodeRequest))]
[JsonSerializable(typeof(EmbedCodeBody))]
[JsonSerializable(typeof(RedeemCode))]
[JsonSerializable(typeof(EndFrames))]
[JsonSerializable(typeof(SessionBody))]
[JsonSerializable(typeof(GrantsBody))]
[JsonSerializable(typeof(GrantBody))]
[JsonSerializable(typeof(ReadinessBody))]
internal sealed partial class GatewayJson : JsonSerializerContext;
