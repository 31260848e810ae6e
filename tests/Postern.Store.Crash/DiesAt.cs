using System.Diagnostics;
using Microsoft.Extensions.Logging;

namespace Postern.Store.Crash;

/// <summary>Kills this process, as <c>kill -9</c> does, when the migrator says for the n-th time what it is about to do.</summary>
internal sealed class DiesAt(int n) : ILoggerFactory, ILogger
{
    private int said;

    public ILogger CreateLogger(string categoryName) => this;

    public void AddProvider(ILoggerProvider provider) => throw new NotSupportedException();

    public IDisposable? BeginScope<TState>(TState state) where TState : notnull => null;

    public bool IsEnabled(LogLevel logLevel) => true;

    public void Log<TState>(LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter)
    {
        if (Interlocked.Increment(ref said) == n)
            Process.GetCurrentProcess().Kill();
    }

    public void Dispose()
    {
    }
}
