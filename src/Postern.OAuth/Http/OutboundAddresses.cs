using System.Collections.Immutable;
using System.Net;
using System.Net.Sockets;

namespace Postern.OAuth;

// Which addresses this process may connect to. Facts:
//   IPv4: IANA special-purpose registry (RFC 6890); everything in it is refused.
//   IPv6: only 2000::/3 is global unicast (RFC 4291); inside it Teredo, 6to4 and documentation are refused, because the first two
//         carry an IPv4 address that nobody would check. An IPv4-mapped address is judged as the IPv4 address it is.

/// <summary>How far an outgoing connection may reach.</summary>
public enum OutboundReach
{
    /// <summary>Public addresses, and the networks that the operator allows.</summary>
    Public,
    /// <summary>Also this machine's loopback addresses; for sandboxes.</summary>
    PublicAndLoopback,
}

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

    private static readonly IPNetwork GlobalUnicast = IPNetwork.Parse("2000::/3");

    /// <summary>True when a connection to the address may be made.</summary>
    /// <param name="address">The resolved address.</param>
    /// <param name="reach">How far the caller may reach.</param>
    /// <param name="allowed">Networks that the operator allows on top, such as a private link to a platform.</param>
    public static bool Permits(IPAddress address, OutboundReach reach, ImmutableArray<IPNetwork> allowed)
    {
        if (address.IsIPv4MappedToIPv6)
            address = address.MapToIPv4();
        if (IPAddress.IsLoopback(address))
            return reach == OutboundReach.PublicAndLoopback;
        if (Contains(allowed, address))
            return true;
        if (Contains(Refused, address))
            return false;
        return address.AddressFamily == AddressFamily.InterNetwork || GlobalUnicast.Contains(address);
    }

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
