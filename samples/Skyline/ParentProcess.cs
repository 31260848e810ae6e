using System.Diagnostics;

namespace Skyline;

/// <summary>Ends the demo's process when the process that started it ends, however it ends.</summary>
public static class ParentProcess
{
    public static void StopWith(WebApplication app, string? parentId)
    {
        if (!int.TryParse(parentId, out var id))
            return;
        try
        {
            var parent = Process.GetProcessById(id);
            _ = parent.WaitForExitAsync(app.Lifetime.ApplicationStopping)
                .ContinueWith(_ => app.Lifetime.StopApplication(), TaskScheduler.Default);
        }
        catch (ArgumentException)
        {
            app.Lifetime.StopApplication();
        }
    }
}
