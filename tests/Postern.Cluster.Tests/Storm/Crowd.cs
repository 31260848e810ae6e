using System.Diagnostics;
using System.Globalization;
using Postern.Cluster.Tests.Actors;
using Postern.Cluster.Tests.Processes;

namespace Postern.Cluster.Tests.Storm;

/// <summary>Many people, each with a grant that came by the whole journey: frame, popup, consent, callback, confirmation.</summary>
internal static class Crowd
{
    private const string Prefix = "crowd-";

    // Enough to see one person's rows in another's answer, and so few flights that a person's data loads in no time.
    private static readonly string[] States = ["WY", "DE", "VT", "RI", "ND", "WV"];

    /// <summary>One of them.</summary>
    internal sealed record Member(string Name, string State);

    /// <summary>As many members as asked for.</summary>
    public static IReadOnlyList<Member> Of(int count) =>
        [.. Enumerable.Range(0, count).Select(index => new Member(Prefix + index.ToString("D5", CultureInfo.InvariantCulture), States[index % States.Length]))];

    /// <summary>Whether a person is one of them.</summary>
    public static bool Contains(string name) => name.StartsWith(Prefix, StringComparison.Ordinal);

    /// <summary>Signs in and connects them all, through all nodes. Answers those who stay at their browsers.</summary>
    /// <param name="staying">How many of the first stay; the others close their browsers.</param>
    public static async Task<IReadOnlyList<Person>> ConnectAsync(Deployment deployment, IReadOnlyList<Member> members, int staying, string connection = "lakehouse")
    {
        var began = Stopwatch.GetTimestamp();
        var stayed = new Person[staying];
        await Parallel.ForEachAsync(
            members.Index(),
            new ParallelOptions { MaxDegreeOfParallelism = 12, CancellationToken = Suite.Token },
            async (member, _) =>
            {
                var person = new Person(deployment, member.Item.Name);
                var node = deployment.Nodes[member.Index % deployment.Nodes.Count];
                // A frame reaches its workbook's connection only.
                await (connection == "lakehouse" ? person.EmbedAsync(node) : person.SignInAsync(node));
                await person.ConnectAsync(connection, node);
                if (member.Index < staying)
                    stayed[member.Index] = person;
                else
                    person.Dispose();
            });
        deployment.Note("Processor time: " + string.Join(", ", deployment.Processes.Select(process => $"{process.Name} {process.ProcessorTime.TotalSeconds:0.0} s")));
        deployment.Note($"{members.Count} connected within {Stopwatch.GetElapsedTime(began).TotalSeconds:0.0} s.");
        return stayed;
    }
}
