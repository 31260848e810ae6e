using System.CommandLine;
using Postern.Sandbox.Control;
using Postern.Sandbox.Issuers;

namespace Postern.Sandbox.Cli;

/// <summary><c>postern-sandbox fault add|list|clear</c>: makes a running sandbox misbehave.</summary>
internal static class FaultCommand
{
    public static Command Create()
    {
        var command = new Command("fault", "Makes a running sandbox misbehave.") { Add() };
        command.Add(Plain("list", "Prints the faults still to come.", HttpMethod.Get));
        command.Add(Plain("clear", "Forgets the faults still to come.", HttpMethod.Delete));
        return command;
    }

    private static Command Plain(string name, string description, HttpMethod method)
    {
        var url = ControlClient.Url();
        var command = new Command(name, description) { url };
        command.SetAction((result, cancellation) => ControlClient.SendAsync(
            result.GetValue(url)!, method, "faults", body: null, result.InvocationConfiguration, cancellation));
        return command;
    }

    private static Command Add()
    {
        var url = ControlClient.Url();
        var where = new Option<string>("--where") { Description = "The place it strikes.", Required = true };
        where.AcceptOnlyFromAmong([.. Fault.Places]);
        var kind = new Option<string>("--kind") { Description = "What happens.", Required = true };
        kind.AcceptOnlyFromAmong([.. Fault.Kinds]);
        var times = new Option<int>("--times") { Description = "How many requests it strikes.", DefaultValueFactory = _ => 1 };
        var status = new Option<int?>("--status") { Description = "The HTTP status of kind 'status'." };
        var delay = new Option<int?>("--delay-ms") { Description = "The milliseconds of kind 'delay'." };
        var retryAfter = new Option<int?>("--retry-after") { Description = "The Retry-After header, in seconds." };
        var body = new Option<string?>("--body") { Description = "The body of kind 'status'." };
        var issuer = new Option<string?>("--issuer") { Description = "The only issuer to strike at." };
        issuer.AcceptOnlyFromAmong([.. IssuerProfile.All.Select(profile => profile.Id)]);
        var command = new Command("add", "Queues a fault.") { url, where, kind, times, status, delay, retryAfter, body, issuer };
        command.SetAction((result, cancellation) => ControlClient.SendAsync(
            result.GetValue(url)!,
            HttpMethod.Post,
            "faults",
            new Fault
            {
                Where = result.GetValue(where)!,
                Kind = result.GetValue(kind)!,
                Times = result.GetValue(times),
                Status = result.GetValue(status),
                DelayMs = result.GetValue(delay),
                RetryAfter = result.GetValue(retryAfter),
                Body = result.GetValue(body),
                Issuer = result.GetValue(issuer),
            },
            result.InvocationConfiguration,
            cancellation));
        return command;
    }
}
