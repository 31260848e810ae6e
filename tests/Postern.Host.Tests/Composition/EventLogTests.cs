using Microsoft.Extensions.Logging;
using Postern.Host.Composition;
using Postern.Model;

namespace Postern.Host.Tests.Composition;

/// <summary>Events as log lines: what they have and nothing else, one line each whatever a name holds.</summary>
public sealed class EventLogTests
{
    private static readonly TenantId Tenant = TenantId.Parse("skyline");

    [Fact]
    public void Line_OfAQuery_NamesItsFacts()
    {
        var told = new AuditEvent(EventKind.QueryFinished, Tenant)
        {
            Subject = new SubjectKey(Tenant, "embed:skyline", "ana"),
            Connection = ConnectionId.Parse("lakehouse"),
            Grant = new GrantId(Guid.Parse("11111111-2222-3333-4444-555555555555")),
            Generation = 3,
            Principal = new PlatformPrincipal("https://login.example", "7", "ana@skyline.example"),
        }.With("rows", 12).With("milliseconds", 340);

        Assert.Equal(
            "QueryFinished tenant=skyline subject=ana connection=lakehouse grant=11111111-2222-3333-4444-555555555555 generation=3 principal=ana@skyline.example milliseconds=340 rows=12",
            Line(told));
    }

    [Fact]
    public void Line_OfADefinition_NamesItAndLeavesOutWhatItHasNot() => Assert.Equal(
        "DefinitionChanged tenant=skyline actor=configuration definition=policy/flights-by-state revision=2",
        Line(new AuditEvent(EventKind.DefinitionChanged, Tenant) { Actor = "configuration" }.With("definition", "policy/flights-by-state").With("revision", 2)));

    [Theory]
    [InlineData("ana\nQueryFinished tenant=skyline")]
    [InlineData("ana\r\u001b[2Kgone")]
    [InlineData("ana\u2028x")]
    [InlineData("ana\" code=\"ok")]
    public void Line_NameWithControlCharacters_StaysOneQuotedField(string name)
    {
        var line = Line(new AuditEvent(EventKind.FrameRefused, Tenant) { Subject = new SubjectKey(Tenant, "embed:skyline", name), Code = "late" });

        Assert.Matches("^FrameRefused tenant=skyline subject=\"[^\"]*\" code=late$", line);
        Assert.DoesNotContain(line, char.IsControl);
    }

    [Fact]
    public void Log_EditedRows_AreErrors()
    {
        Assert.Equal(LogLevel.Error, EventLog.LevelOf(EventKind.RowTampered));
        Assert.Equal(LogLevel.Warning, EventLog.LevelOf(EventKind.RenewalUncertain));
        Assert.Equal(LogLevel.Information, EventLog.LevelOf(EventKind.QueryFinished));
    }

    [Fact]
    public void Log_AnEvent_IsOneEntryWithFields()
    {
        var log = new Recorder();

        new EventLog(log).On(new AuditEvent(EventKind.RowTampered, Tenant).With("definition", "connection/lakehouse"));

        var (level, text, fields) = Assert.Single(log.Entries);
        Assert.Equal((LogLevel.Error, "RowTampered tenant=skyline definition=connection/lakehouse"), (level, text));
        Assert.Equal(["kind", "tenant", "definition"], fields);
    }

    private static string Line(AuditEvent told) => new EventLine(told).ToString();

    private sealed class Recorder : ILogger<EventLog>
    {
        public List<(LogLevel Level, string Text, string[] Fields)> Entries { get; } = [];

        public IDisposable? BeginScope<TState>(TState state) where TState : notnull => null;

        public bool IsEnabled(LogLevel logLevel) => true;

        public void Log<TState>(LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter) =>
            Entries.Add((logLevel, formatter(state, exception), [.. ((IEnumerable<KeyValuePair<string, object?>>)state!).Select(field => field.Key)]));
    }
}
