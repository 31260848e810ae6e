using System.Collections.Immutable;
using System.Net;

namespace Postern.Host.Configuration;

/// <summary>Reads lists of addresses and networks.</summary>
internal static class Networks
{
    /// <summary>The networks of a list; an address alone is a network of one.</summary>
    /// <param name="example">A network for the remedy.</param>
    public static ImmutableArray<IPNetwork> Read(ConfigNode node, string key, string example)
    {
        var networks = ImmutableArray.CreateBuilder<IPNetwork>();
        foreach (var text in node.List(key))
        {
            if (IPNetwork.TryParse(text, out var network))
                networks.Add(network);
            else if (IPAddress.TryParse(text, out var address))
                networks.Add(new IPNetwork(address, address.GetAddressBytes().Length * 8));
            else
                node.Report(key, $"{ConfigNode.Shown(text)} is no address or network.", $"Write {example.Split('/')[0]} or {example}.");
        }
        return networks.ToImmutable();
    }
}
