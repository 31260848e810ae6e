using System.Net;
using System.Security.Cryptography;
using Postern.Model;

namespace Postern.OAuth;

/// <summary>
/// An <c>application/x-www-form-urlencoded</c> body with secrets in it: built in one pinned buffer, sent at most once, wiped
/// afterwards. A handler that wants to repeat the request finds nothing to send, so "a code is sent once" does not rest on
/// anybody's configuration.
/// </summary>
internal sealed class SecretForm : HttpContent
{
    private byte[] buffer = GC.AllocateUninitializedArray<byte>(1024, pinned: true);
    private int length;
    private int sent;

    public SecretForm() => Headers.ContentType = new("application/x-www-form-urlencoded");

    /// <summary>True once any byte of the body may have left: from then on the server may have received it.</summary>
    public bool Sent => Volatile.Read(ref sent) != 0;

    /// <summary>Appends a field.</summary>
    public SecretForm Add(string name, string value)
    {
        using var bytes = SecretBytes.FromText(value);
        return Add(name, bytes);
    }

    /// <summary>Appends a field whose value is a secret.</summary>
    public SecretForm Add(string name, SecretText value) => Add(name, value.Reveal());

    /// <summary>Appends a field whose value never becomes a string.</summary>
    public SecretForm Add(string name, SecretBytes value)
    {
        if (length > 0)
            Append((byte)'&');
        AppendEncoded(System.Text.Encoding.UTF8.GetBytes(name));
        Append((byte)'=');
        AppendEncoded(value.Reveal());
        return this;
    }

    protected override Task SerializeToStreamAsync(Stream stream, TransportContext? context) =>
        SerializeToStreamAsync(stream, context, CancellationToken.None);

    protected override async Task SerializeToStreamAsync(Stream stream, TransportContext? context, CancellationToken cancellationToken)
    {
        if (Interlocked.Exchange(ref sent, 1) != 0)
            throw new HttpRequestException("This request is sent once.");
        await stream.WriteAsync(buffer.AsMemory(0, length), cancellationToken);
    }

    protected override bool TryComputeLength(out long length)
    {
        length = this.length;
        return true;
    }

    protected override void Dispose(bool disposing)
    {
        CryptographicOperations.ZeroMemory(buffer);
        base.Dispose(disposing);
    }

    private void AppendEncoded(ReadOnlySpan<byte> value)
    {
        foreach (var b in value)
        {
            if (char.IsAsciiLetterOrDigit((char)b) || b is (byte)'-' or (byte)'.' or (byte)'_' or (byte)'~')
            {
                Append(b);
                continue;
            }
            Append((byte)'%');
            Append((byte)"0123456789ABCDEF"[b >> 4]);
            Append((byte)"0123456789ABCDEF"[b & 15]);
        }
    }

    private void Append(byte value)
    {
        if (length == buffer.Length)
        {
            var larger = GC.AllocateUninitializedArray<byte>(buffer.Length * 2, pinned: true);
            buffer.CopyTo(larger, 0);
            CryptographicOperations.ZeroMemory(buffer);
            buffer = larger;
        }
        buffer[length++] = value;
    }
}
