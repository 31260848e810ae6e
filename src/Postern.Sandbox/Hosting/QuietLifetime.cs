namespace Postern.Sandbox.Hosting;

/// <summary>A lifetime that leaves signals alone: whoever started the server stops it, and a test process keeps its own Ctrl-C.</summary>
internal sealed class QuietLifetime : IHostLifetime
{
    public Task WaitForStartAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StopAsync(CancellationToken cancellationToken) => Task.CompletedTask;
}
