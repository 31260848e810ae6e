using System.Buffers;
using System.Runtime.CompilerServices;
using System.Text;
using System.Text.Json;
using Postern.Model;

namespace Postern.Audit;

// An export is JSON lines, UTF-8, verifiable without Postern's database:
//
//   {"format":"postern-audit/1","tenant":"acme","from":0,"previous":"<hex>"}     the position before the first entry
//   {"index":0,"entry":"<hex>","leaf":{…}}                                       one line an entry; leaf is the exact bytes
//   {"index":1,"entry":"<hex>","leaf_base64":"…"}                                where the stored bytes are no JSON any more
//   {"index":2,"entry":"<hex>"}                                                  where they are gone
//   {"end":{"size":3,"entry":"<hex>"}}                                           the position after the last; without it the file was cut

/// <summary>Writes an export, line by line.</summary>
public sealed class AuditExportWriter(Stream output)
{
    private static readonly byte[] NewLine = "\n"u8.ToArray();
    private readonly ArrayBufferWriter<byte> line = new(2048);

    /// <summary>The first line.</summary>
    public Task BeginAsync(TenantId tenant, AuditHead start, CancellationToken cancellation) => WriteAsync(
        json =>
        {
            json.WriteString("format", AuditExport.Format);
            json.WriteString("tenant", tenant.Value);
            json.WriteNumber("from", start.Size);
            json.WriteString("previous", Convert.ToHexStringLower(start.Entry));
        },
        cancellation);

    /// <summary>One entry, as it is stored, good or not.</summary>
    public Task WriteAsync(ChainLink link, CancellationToken cancellation) => WriteAsync(
        json =>
        {
            json.WriteNumber("index", link.Index);
            json.WriteString("entry", Convert.ToHexStringLower(link.Entry ?? []));
            if (link.Leaf is null)
                return;
            if (AuditLeaf.TryRead(link.Leaf, out _))
            {
                json.WritePropertyName("leaf");
                json.WriteRawValue(link.Leaf);
            }
            else
            {
                json.WriteBase64String("leaf_base64", link.Leaf);
            }
        },
        cancellation);

    /// <summary>The last line.</summary>
    public Task EndAsync(AuditHead end, CancellationToken cancellation) => WriteAsync(
        json =>
        {
            json.WriteStartObject("end");
            json.WriteNumber("size", end.Size);
            json.WriteString("entry", Convert.ToHexStringLower(end.Entry));
            json.WriteEndObject();
        },
        cancellation);

    private async Task WriteAsync(Action<Utf8JsonWriter> members, CancellationToken cancellation)
    {
        line.ResetWrittenCount();
        await using (var json = new Utf8JsonWriter(line))
        {
            json.WriteStartObject();
            members(json);
            json.WriteEndObject();
        }
        line.Write(NewLine);
        await output.WriteAsync(line.WrittenMemory, cancellation);
    }
}

/// <summary>Verifies exports offline.</summary>
public static class AuditExport
{
    /// <summary>The format's name and version, in the first line.</summary>
    public const string Format = "postern-audit/1";

    /// <summary>
    /// Verifies an export. One that begins at index 0 is bound to its tenant; one that begins later is believed its first
    /// <c>previous</c>, so give a <paramref name="known"/> position after it, or the export before.
    /// </summary>
    /// <param name="input">The export.</param>
    /// <param name="known">A position of this log remembered elsewhere, or null.</param>
    /// <param name="cancellation">Cancels.</param>
    public static async Task<ChainReport> VerifyAsync(Stream input, AuditHead? known, CancellationToken cancellation)
    {
        using var lines = new StreamReader(input, new UTF8Encoding(false), leaveOpen: true);
        if (!TryReadStart(await lines.ReadLineAsync(cancellation), out var start))
            return new(0, new(0, []), ChainFault.Malformed, 0);

        var end = new EndLine();
        var report = await ChainVerifier.VerifyAsync(start, LinksAsync(lines, end, cancellation), known, cancellation);
        if (!report.IsValid)
            return report;
        return end.Head is { } head && head.Size == report.Head.Size && head.Entry.AsSpan().SequenceEqual(report.Head.Entry)
            ? report
            : report with { Fault = ChainFault.Truncated, BadIndex = report.Head.Size };
    }

    private static async IAsyncEnumerable<ChainLink> LinksAsync(
        StreamReader lines, EndLine end, [EnumeratorCancellation] CancellationToken cancellation)
    {
        while (await lines.ReadLineAsync(cancellation) is { } line)
        {
            // Whatever stands after the end was put there by somebody else.
            if (end.Head is not null || !TryReadLine(line, end, out var link))
                link = new(-1, null, null);
            if (link is not null)
                yield return link;
        }
    }

    private static bool TryReadStart(string? line, out AuditHead start)
    {
        start = new(0, []);
        try
        {
            using var json = JsonDocument.Parse(line ?? "");
            var root = json.RootElement;
            if (root.GetProperty("format").GetString() != Format || !TenantId.TryParse(root.GetProperty("tenant").GetString(), out var tenant))
                return false;
            var from = root.GetProperty("from").GetInt64();
            start = from == 0 ? ChainVerifier.StartOf(tenant) : new(from, Convert.FromHexString(root.GetProperty("previous").GetString() ?? ""));
            return start.Entry.Length == HashChain.HashLength && from >= 0;
        }
        catch (Exception e) when (IsMalformed(e))
        {
            return false;
        }
    }

    // True with a link, or with null for the end line, which is kept in end.
    private static bool TryReadLine(string line, EndLine end, out ChainLink? link)
    {
        link = null;
        try
        {
            using var json = JsonDocument.Parse(line);
            var root = json.RootElement;
            if (root.TryGetProperty("end", out var last))
            {
                end.Head = new(last.GetProperty("size").GetInt64(), Convert.FromHexString(last.GetProperty("entry").GetString() ?? ""));
                return true;
            }
            var leaf =
                root.TryGetProperty("leaf", out var raw) ? Encoding.UTF8.GetBytes(raw.GetRawText())
                : root.TryGetProperty("leaf_base64", out var encoded) ? encoded.GetBytesFromBase64()
                : null;
            link = new(root.GetProperty("index").GetInt64(), leaf, Convert.FromHexString(root.GetProperty("entry").GetString() ?? ""));
            return true;
        }
        catch (Exception e) when (IsMalformed(e))
        {
            return false;
        }
    }

    private static bool IsMalformed(Exception e) => e is JsonException or FormatException or InvalidOperationException or KeyNotFoundException;

    private sealed class EndLine
    {
        public AuditHead? Head { get; set; }
    }
}
