using System.Text.Json.Nodes;
using Postern.Cluster.Tests.Processes;
using Postern.TestKit;

namespace Postern.Cluster.Tests;

/// <summary>How the processes of a deployment reach a Transit that the test serves.</summary>
internal static class TransitSection
{
    /// <summary>Section <c>KeyStore</c> of the configuration.</summary>
    /// <param name="former">The directory of the keyring that was used before; null for none.</param>
    public static JsonObject Of(Deployment deployment, FakeTransit transit, string? former = null)
    {
        var token = Path.Combine(deployment.Folder, "transit-token");
        File.WriteAllText(token, transit.Token);
        var section = new JsonObject
        {
            ["Provider"] = "transit",
            ["Deployment"] = "demo",
            ["Transit"] = new JsonObject { ["Address"] = transit.Address.GetLeftPart(UriPartial.Authority), ["Key"] = "postern", ["TokenFile"] = token },
        };
        if (former is not null)
            section["Former"] = new JsonObject { ["Provider"] = "file", ["Directory"] = former };
        return section;
    }
}
