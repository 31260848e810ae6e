using Postern.Model;

namespace Postern.Audit.Tests;

internal sealed class SeededChance(int seed) : IChance
{
    private readonly Random random = new(seed);

    public void Fill(Span<byte> buffer) => random.NextBytes(buffer);
}
