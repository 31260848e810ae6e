using OpenTelemetry.Exporter;
using OpenTelemetry.Metrics;
using Postern.Host.Configuration;

namespace Postern.Host.Composition;

/// <summary>Sends the meter <c>Postern</c> to a collector by OTLP, where one is configured. Metrics only: traces would name queries.</summary>
internal static class Telemetry
{
    public static void AddTelemetry(this IServiceCollection services, PosternSettings settings)
    {
        if (settings.Node.OtlpEndpoint is not { } collector)
            return;
        services.AddOpenTelemetry().WithMetrics(metrics => metrics
            .AddMeter("Postern")
            .AddOtlpExporter(exporter =>
            {
                exporter.Endpoint = collector;
                exporter.Protocol = OtlpExportProtocol.HttpProtobuf;
            }));
    }
}
