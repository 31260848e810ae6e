using System.Collections.Concurrent;
using System.Net.Http.Headers;
using Postern.Model;

namespace Postern.Warehouse.Tests.Wire;

/// <summary>Bearers whose token names its generation, and a count of what was asked of them.</summary>
public sealed class FakeBearers(int first = 1) : IBearerSource
{
    public const string TokenMark = "secret-token-of-generation-";
    private int current = first;

    public ConcurrentQueue<int> Refused { get; } = new();

    public Refusal? RenewalAnswer { get; set; }

    public ValueTask<Outcome<IBearer>> CurrentAsync(CancellationToken cancellation) => new(Outcome<IBearer>.Of(new Bearer(current)));

    public ValueTask<Outcome<IBearer>> AfterRefusalAsync(int refusedGeneration, CancellationToken cancellation)
    {
        Refused.Enqueue(refusedGeneration);
        if (RenewalAnswer is { } no)
            return new(no);
        if (refusedGeneration == current)
            current++;
        return CurrentAsync(cancellation);
    }

    public sealed class Bearer(int generation) : IBearer
    {
        public int Generation => generation;

        public void Authorize(HttpRequestMessage request) =>
            request.Headers.Authorization = new AuthenticationHeaderValue("Bearer", TokenMark + generation);
    }
}
