using System.Globalization;
using System.Text;
using Microsoft.AspNetCore.Http;

namespace Postern.Gateway.Http;

/// <summary>
/// The time that each stage of a journey took, under the rooms' names, in the <c>Server-Timing</c> header (W3C Server Timing).
/// </summary>
internal sealed class ServerTiming(TimeProvider time)
{
    private readonly StringBuilder header = new(96);
    private long mark = time.GetTimestamp();

    /// <summary>Ends a stage that began at the end of the one before.</summary>
    public void Stage(string room)
    {
        var now = time.GetTimestamp();
        if (header.Length > 0)
            header.Append(", ");
        header.Append(room).Append(";dur=").Append(CultureInfo.InvariantCulture, $"{time.GetElapsedTime(mark, now).TotalMilliseconds:0.##}");
        mark = now;
    }

    /// <summary>Writes the stages so far; the response must not have started.</summary>
    public void Write(HttpResponse response) => response.Headers["Server-Timing"] = header.ToString();
}
