using System.Buffers.Binary;
using System.Diagnostics;
using System.Globalization;
using System.Net;
using System.Net.Sockets;

namespace Postern.Cluster.Tests.Processes;

/// <summary>A cable between a network of its own and this machine.</summary>
internal enum Cable
{
    /// <summary>What people ask the node through.</summary>
    People,
    /// <summary>To the database server.</summary>
    Database,
    /// <summary>To the authorization server and the platform.</summary>
    Provider,
}

/// <summary>
/// A network of its own for one node, as another machine has it: a network namespace whose only ways out are three cables to this machine.
/// <code>
///   node  people   .2 ──── .1  ◀── a wire from this machine's loopback, where people know the node
///         database .2 ──── .1  ──▶ a wire to the socket of the PostgreSQL server
///         provider .2 ──── .1  ──▶ 127.0.0.1 of this machine, where the sandbox is: the namespace has no loopback of its own
/// </code>
/// A cable that is cut drops every packet in both directions, and says so to nobody: each end sends to an Ethernet address that nobody has.
/// </summary>
/// <remarks>
/// The addresses are of 198.18.0.0/15, which is for tests of networks (RFC 2544). The shell that makes all this reads from a pipe that this process
/// holds: however this process ends, kill -9 included, the pipe closes, and the shell removes everything.
/// </remarks>
internal sealed class NetworkSpace : IAsyncDisposable
{
    private const int PostgreSqlPort = 5432;
    private const string Nobody = "02:00:00:00:00:01";
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(30);
    private static readonly string Own = "pst" + Environment.ProcessId.ToString(CultureInfo.InvariantCulture);

    private readonly Process shell;
    private readonly List<Wire> wires = [];

    private NetworkSpace(Process shell) => this.shell = shell;

    /// <summary>The command that runs another one inside.</summary>
    public static IReadOnlyList<string> Enter { get; } = ["ip", "netns", "exec", Own];

    /// <summary>Where the node listens, inside.</summary>
    public static IPAddress Listens => Address(Cable.People, node: true);

    /// <summary>The host and port of the database server, as seen from inside.</summary>
    public static (string Host, int Port) Database => (Address(Cable.Database, node: false).ToString(), PostgreSqlPort);

    /// <summary>Makes it. Skips the test where that is not possible; in CI a skip is a failure.</summary>
    /// <param name="server">The folder of the PostgreSQL server's socket.</param>
    public static async Task<NetworkSpace> MakeAsync(string server)
    {
        Assert.SkipUnless(OperatingSystem.IsLinux() && Environment.IsPrivilegedProcess, "A network namespace is made by root on Linux only.");
        var start = new ProcessStartInfo("sh") { RedirectStandardInput = true, RedirectStandardOutput = true, RedirectStandardError = true };
        start.ArgumentList.Add("-c");
        start.ArgumentList.Add(Script());
        var space = new NetworkSpace(Process.Start(start)!);
        using var patience = new CancellationTokenSource(Patience);
        if (await space.shell.StandardOutput.ReadLineAsync(patience.Token) != "ready")
        {
            var why = await space.shell.StandardError.ReadToEndAsync(patience.Token);
            await space.DisposeAsync();
            Assert.Skip($"No network namespace can be made here (the package iproute2 and the right to make them are needed): {why.Trim()}");
        }
        space.wires.Add(new Wire(new IPEndPoint(Address(Cable.Database, node: false), PostgreSqlPort), Wire.PostgreSqlIn(server)));
        return space;
    }

    /// <summary>People reach the node that listens inside on this port at the same port of this machine's loopback.</summary>
    public void Open(int port) => wires.Add(new Wire(new IPEndPoint(IPAddress.Loopback, port), new IPEndPoint(Listens, port)));

    /// <summary>From now on every packet is dropped.</summary>
    public static void Cut(Cable cable)
    {
        var (here, inside) = (Address(cable, node: false), Address(cable, node: true));
        Ip("-n", Own, "neigh", "replace", here.ToString(), "lladdr", Nobody, "dev", Inside(cable), "nud", "permanent");
        Ip("neigh", "replace", inside.ToString(), "lladdr", Nobody, "dev", Outside(cable), "nud", "permanent");
    }

    /// <summary>Packets arrive again.</summary>
    public static void Heal(Cable cable)
    {
        Ip("-n", Own, "neigh", "del", Address(cable, node: false).ToString(), "dev", Inside(cable));
        Ip("neigh", "del", Address(cable, node: true).ToString(), "dev", Outside(cable));
    }

    public async ValueTask DisposeAsync()
    {
        foreach (var wire in wires)
            await wire.DisposeAsync();
        shell.StandardInput.Close();
        using var patience = new CancellationTokenSource(Patience);
        await shell.WaitForExitAsync(patience.Token);
        shell.Dispose();
    }

    private static string Script()
    {
        var cables = string.Join('\n', Enum.GetValues<Cable>().Select(cable =>
            $"""
            ip link add {Outside(cable)} type veth peer name {Inside(cable)} netns {Own}
            ip addr add {Address(cable, node: false)}/30 dev {Outside(cable)}
            ip link set {Outside(cable)} up
            ip -n {Own} addr add {Address(cable, node: true)}/30 dev {Inside(cable)}
            ip -n {Own} link set {Inside(cable)} up
            """));
        return $$"""
            set -e
            clean() {
              ip netns pids {{Own}} | xargs -r kill -KILL
              {{string.Join("; ", Enum.GetValues<Cable>().Select(cable => $"ip link del {Outside(cable)}"))}}
              ip netns del {{Own}}
            }
            trap 'set +e; clean 2>/dev/null' EXIT
            trap : INT TERM HUP
            ip netns add {{Own}}
            {{cables}}
            ip -n {{Own}} route add 127.0.0.1 via {{Address(Cable.Provider, node: false)}}
            # Else neither side would let an address of the loopback onto a cable.
            ip netns exec {{Own}} sh -c 'echo 1 > /proc/sys/net/ipv4/conf/all/route_localnet'
            echo 1 > /proc/sys/net/ipv4/conf/{{Outside(Cable.Provider)}}/route_localnet
            echo ready
            cat > /dev/null
            """;
    }

    // Sixteen addresses for each process that might test at the same time, four for each cable.
    private static IPAddress Address(Cable cable, bool node)
    {
        var number = (198u << 24) + (18u << 16) + (uint)(Environment.ProcessId % 8192 * 16) + (uint)cable * 4 + (node ? 2u : 1u);
        var bytes = new byte[4];
        BinaryPrimitives.WriteUInt32BigEndian(bytes, number);
        return new IPAddress(bytes);
    }

    // An interface's name has 15 characters at most.
    private static string Outside(Cable cable) => $"{Own}{char.ToLowerInvariant(cable.ToString()[0])}{(int)cable}";

    private static string Inside(Cable cable) => cable.ToString().ToLowerInvariant();

    private static void Ip(params string[] arguments)
    {
        using var ip = Process.Start("ip", arguments);
        ip.WaitForExit();
        Assert.Equal(0, ip.ExitCode);
    }
}
