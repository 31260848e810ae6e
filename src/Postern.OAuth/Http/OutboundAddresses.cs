using System.Collections.Immutable;
using System.Net;
using System.Net.Sockets;

namespace Postern.OAuth;

// Which addresses this process may connect to. Facts:
//   IPv4: IANA special-purpose registry (RFC 6890); everything in it is refused.
//   IPv6: only 2000::/3 is global unicast (RFC 4291); inside it Teredo, 6to4 and documentation are refused, because the first two
//         carry an IPv4 address that nobody would check. An IPv4-mapped address is judged as the IPv4 address it is.

/// <summary>The rule for addresses, asked at every connect, after name resolution, so that no name can be rebound later.</summary>
public static class OutboundAddresses
{
    private static readonly ImmutableArray<IPNetwork> Refused =
    [
        IPNetwork.Parse("0.0.0.0/8"),        // "this network"; Linux connects 0.0.0.0 to itself
        IPNetwork.Parse("10.0.0.0/8"),       // private
        IPNetwork.Parse("100.64.0.0/10"),    // shared (carrier NAT); some clouds keep metadata services here
        IPNetwork.Parse("127.0.0.0/8"),      // loopback
        IPNetwork.Parse("169.254.0.0/16"),   // link-local; cloud metadata services
        IPNetwork.Parse("172.16.0.0/12"),    // private
        IPNetwork.Parse("192.0.0.0/24"),     // protocol assignments
        IPNetwork.Parse("192.0.2.0/24"),     // documentation
        IPNetwork.Parse("192.88.99.0/24"),   // 6to4 relays
        IPNetwork.Parse("192.168.0.0/16"),   // private
        IPNetwork.Parse("198.18.0.0/15"),    // benchmarks
        IPNetwork.Parse("198.51.100.0/24"),  // documentation
        IPNetwork.Parse("203.0.113.0/24"),   // documentation
        IPNetwork.Parse("224.0.0.0/3"),      // multicast, reserved, broadcast
        IPNetwork.Parse("2001::/23"),        // protocol assignments, with Teredo (2001::/32)
        IPNetwork.Parse("2001:db8::/32"),    // documentation
        IPNetwork.Parse("2002::/16"),        // 6to4
        IPNetwork.Parse("3fff::/20"),        // documentation
    ];

    // What an operator may open: RFC 1918, RFC 6598 (private links of some clouds), RFC 4193.
    private static readonly ImmutableArray<IPNetwork> Private =
    [
        IPNetwork.Parse("10.0.0.0/8"),
        IPNetwork.Parse("100.64.0.0/10"),
        IPNetwork.Parse("172.16.0.0/12"),
        IPNetwork.Parse("192.168.0.0/16"),
        IPNetwork.Parse("fc00::/7"),
    ];

    // Inside the private ranges, and still never reached: they answer with the machine's own credentials.
    private static readonly ImmutableArray<IPNetwork> Metadata =
    [
        IPNetwork.Parse("100.100.100.200/32"),
        IPNetwork.Parse("fd00:ec2::/32"),
    ];

    private static readonly IPNetwork GlobalUnicast = IPNetwork.Parse("2000::/3");

    /// <summary>True when a connection to the address may be made.</summary>
    /// <param name="address">The resolved address.</param>
    /// <param name="reach">How far the caller may reach.</param>
    public static bool Permits(IPAddress address, OutboundReach reach)
    {
        if (address.IsIPv4MappedToIPv6)
            address = address.MapToIPv4();
        if (IPAddress.IsLoopback(address))
            return reach.Loopback;
        if (Contains(reach.Networks, address))
            return Contains(Private, address) && !Contains(Metadata, address);
        if (Contains(Refused, address))
            return false;
        return address.AddressFamily == AddressFamily.InterNetwork || GlobalUnicast.Contains(address);
    }

    /// <summary>The same for a caller that may reach these private networks, and not loopback.</summary>
    public static bool Permits(IPAddress address, ImmutableArray<IPNetwork> networks) => Permits(address, OutboundReach.Of(networks));

    /// <summary>
    /// True for a network that an operator may open for a connection: all of it private (RFC 1918, RFC 6598, RFC 4193). Loopback,
    /// link-local and with it the metadata services of clouds are none.
    /// </summary>
    public static bool MayBeAllowed(IPNetwork network) => Private.Any(range =>
        range.BaseAddress.AddressFamily == network.BaseAddress.AddressFamily
        && network.PrefixLength >= range.PrefixLength && range.Contains(network.BaseAddress))
        && !Metadata.Any(range => range.PrefixLength <= network.PrefixLength && range.Contains(network.BaseAddress));

    private static bool Contains(ImmutableArray<IPNetwork> networks, IPAddress address)
    {
        foreach (var network in networks)
        {
            if (network.Contains(address))
                return true;
        }
        return false;
    }
}

/// <summary>No address of the host may be connected to; says neither which address it was nor whether anything listens there.</summary>
public sealed class AddressRefusedException() : IOException("The host's address is not one that this process may connect to.");
