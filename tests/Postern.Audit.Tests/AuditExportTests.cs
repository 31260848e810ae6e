using System.Text;
using Postern.Model;

namespace Postern.Audit.Tests;

/// <summary>Every way of tampering with an export is named, with the first bad index.</summary>
public sealed class AuditExportTests
{
    private const int Count = 12;
    private static readonly TenantId Acme = TenantId.Parse("acme");

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Verify_OfAnUntouchedExport_IsValid()
    {
        var (lines, head) = await ExportAsync();

        var report = await VerifyAsync(lines, head);

        Assert.True(report.IsValid, report.ToString());
        Assert.Equal(Count, report.Checked);
        Assert.Equal(head.Entry, report.Head.Entry);
    }

    [Theory]
    [InlineData(0)]
    [InlineData(5)]
    [InlineData(Count - 1)]
    public async Task Verify_AfterAnEdit_NamesTheIndex(int index)
    {
        var (lines, _) = await ExportAsync();
        lines[1 + index] = lines[1 + index].Replace("\"signed-in\"", "\"sIgned-in\"", StringComparison.Ordinal);

        await AssertBadAsync(lines, ChainFault.Edited, index);
    }

    [Theory]
    [InlineData(0)]
    [InlineData(5)]
    public async Task Verify_AfterADeletion_NamesTheIndex(int index)
    {
        var (lines, _) = await ExportAsync();
        lines.RemoveAt(1 + index);

        await AssertBadAsync(lines, ChainFault.Missing, index);
    }

    [Fact]
    public async Task Verify_AfterADeletionWithRenumbering_NamesTheIndex()
    {
        var (lines, _) = await ExportAsync();
        lines.RemoveAt(1 + 5);
        for (var i = 5; i < Count - 1; i++)
            lines[1 + i] = lines[1 + i].Replace($"{{\"index\":{i + 1},", $"{{\"index\":{i},", StringComparison.Ordinal);

        await AssertBadAsync(lines, ChainFault.Edited, 5);
    }

    [Theory]
    [InlineData(4)]
    [InlineData(5)]
    public async Task Verify_AfterAnInsertion_NamesTheIndex(int after)
    {
        var (lines, _) = await ExportAsync();
        lines.Insert(1 + after, lines[1 + 4].Replace("\"signed-in\"", "\"planted\"", StringComparison.Ordinal));

        await AssertBadAsync(lines, ChainFault.Inserted, 4);
    }

    [Fact]
    public async Task Verify_AfterASwap_NamesTheIndex()
    {
        var (lines, _) = await ExportAsync();
        (lines[1 + 3], lines[1 + 8]) = (lines[1 + 8], lines[1 + 3]);

        await AssertBadAsync(lines, ChainFault.Reordered, 3);
    }

    [Theory]
    [InlineData(0)]
    [InlineData(7)]
    public async Task Verify_OfACutExport_NamesTheIndex(int left)
    {
        var (lines, _) = await ExportAsync();

        await AssertBadAsync(lines[..(1 + left)], ChainFault.Truncated, left);
    }

    [Fact]
    public async Task Verify_OfACutLogWithAnEndOfItsOwn_IsFoundByTheKnownPosition()
    {
        var (lines, _) = await ExportAsync(7);
        var (_, known) = await ExportAsync();

        Assert.True((await VerifyAsync(lines, null)).IsValid);
        await AssertBadAsync(lines, ChainFault.Truncated, 7, known);
    }

    [Fact]
    public async Task Verify_OfALogWrittenAnew_IsFoundByTheKnownPosition()
    {
        var (lines, _) = await ExportAsync(seed: 2);
        var (_, known) = await ExportAsync(8);

        Assert.True((await VerifyAsync(lines, null)).IsValid);
        await AssertBadAsync(lines, ChainFault.Rewritten, 7, known);
    }

    [Fact]
    public async Task Verify_UnderAnotherTenantsName_IsFoundAtOnce()
    {
        var (lines, _) = await ExportAsync();
        lines[0] = lines[0].Replace("acme", "other", StringComparison.Ordinal);

        await AssertBadAsync(lines, ChainFault.Edited, 0);
    }

    [Fact]
    public async Task Verify_WithAnUnreadableLine_NamesTheIndex()
    {
        var (lines, _) = await ExportAsync();
        lines[1 + 6] = lines[1 + 6][..40];

        await AssertBadAsync(lines, ChainFault.Malformed, 6);
    }

    [Fact]
    public async Task Verify_WithALineAfterTheEnd_IsMalformed()
    {
        var (lines, _) = await ExportAsync();
        lines.Add(lines[^2]);

        await AssertBadAsync(lines, ChainFault.Malformed, Count);
    }

    [Theory]
    [InlineData("")]
    [InlineData("{}")]
    [InlineData("{\"format\":\"postern-audit/9\",\"tenant\":\"acme\",\"from\":0,\"previous\":\"\"}")]
    public async Task Verify_OfAnotherFormat_IsMalformed(string first) => await AssertBadAsync([first], ChainFault.Malformed, 0);

    [Fact]
    public async Task Verify_OfAPartFromItsMiddle_IsValidAndFindsAnEdit()
    {
        var (lines, head) = await ExportAsync(from: 5);
        Assert.True((await VerifyAsync(lines, head)).IsValid);

        lines[3] = lines[3].Replace("\"signed-in\"", "\"sIgned-in\"", StringComparison.Ordinal);
        await AssertBadAsync(lines, ChainFault.Edited, 7);
    }

    [Fact]
    public async Task Write_OfBytesThatAreNoLeaf_KeepsThemExactly()
    {
        byte[] odd = [0xFF, 0x00, (byte)'"'];
        var start = ChainVerifier.StartOf(Acme);
        var entry = HashChain.Next(start.Entry, AuditLeaf.HashOf(odd), 0);
        using var output = new MemoryStream();
        var writer = new AuditExportWriter(output);
        await writer.BeginAsync(Acme, start, Cancellation);
        await writer.WriteAsync(new(0, odd, entry), Cancellation);
        await writer.EndAsync(new(1, entry), Cancellation);
        output.Position = 0;

        Assert.True((await AuditExport.VerifyAsync(output, null, Cancellation)).IsValid);
    }

    private static async Task AssertBadAsync(List<string> lines, ChainFault fault, long index, AuditHead? known = null)
    {
        var report = await VerifyAsync(lines, known);
        Assert.Equal((fault, index), (report.Fault, report.BadIndex));
    }

    private static async Task<ChainReport> VerifyAsync(List<string> lines, AuditHead? known)
    {
        using var input = new MemoryStream(Encoding.UTF8.GetBytes(string.Join('\n', lines)));
        return await AuditExport.VerifyAsync(input, known, Cancellation);
    }

    private static async Task<(List<string> Lines, AuditHead Head)> ExportAsync(int count = Count, int from = 0, int seed = 1)
    {
        var chance = new SeededChance(seed);
        var head = ChainVerifier.StartOf(Acme);
        using var output = new MemoryStream();
        var writer = new AuditExportWriter(output);
        for (var i = 0; i < count; i++)
        {
            if (i == from)
                await writer.BeginAsync(Acme, head, Cancellation);
            var e = new AuditEvent(EventKind.SignedIn, Acme) { Code = "signed-in" }.With("n", i);
            var leaf = AuditLeaf.Of(new(e, DateTimeOffset.UnixEpoch.AddSeconds(i), Guid.Empty, "one"), chance);
            var entry = HashChain.Next(head.Entry, leaf.Hash, i);
            if (i >= from)
                await writer.WriteAsync(new(i, leaf.Bytes, entry), Cancellation);
            head = new(i + 1, entry);
        }
        await writer.EndAsync(head, Cancellation);
        return ([.. Encoding.UTF8.GetString(output.ToArray()).Split('\n', StringSplitOptions.RemoveEmptyEntries)], head);
    }
}
