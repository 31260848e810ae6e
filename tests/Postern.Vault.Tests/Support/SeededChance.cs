using System.Buffers.Binary;
using System.Security.Cryptography;
using System.Text;
using Postern.Model;

namespace Postern.Vault.Tests;

/// <summary>Chance that is the same every time: SHA-256(seed || counter), block after block. The vectors' document names it.</summary>
internal sealed class SeededChance(string seed) : IChance
{
    private readonly byte[] seed = Encoding.UTF8.GetBytes(seed);
    private readonly Lock gate = new();
    private ulong counter;

    public void Fill(Span<byte> buffer)
    {
        lock (gate)
        {
            Span<byte> input = stackalloc byte[seed.Length + 8];
            Span<byte> block = stackalloc byte[32];
            seed.CopyTo(input);
            while (!buffer.IsEmpty)
            {
                BinaryPrimitives.WriteUInt64BigEndian(input[seed.Length..], counter++);
                SHA256.HashData(input, block);
                var taken = Math.Min(block.Length, buffer.Length);
                block[..taken].CopyTo(buffer);
                buffer = buffer[taken..];
            }
        }
    }
}
