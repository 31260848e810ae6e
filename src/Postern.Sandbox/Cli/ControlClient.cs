using System.CommandLine;
using System.Net.Http.Headers;
using System.Net.Http.Json;

namespace Postern.Sandbox.Cli;

/// <summary>Speaks to the control endpoints of a running sandbox and prints what they answer, which is JSON.</summary>
internal static class ControlClient
{
    /// <summary>The option that every verb that speaks to a sandbox has.</summary>
    public static Option<Uri> Url() => new("--url")
    {
        Description = "Where the sandbox runs.",
        DefaultValueFactory = _ => new Uri("http://127.0.0.1:7310"),
        CustomParser = argument =>
        {
            if (Uri.TryCreate(argument.Tokens[0].Value, UriKind.Absolute, out var url) && url.Scheme == Uri.UriSchemeHttp)
            {
                return url;
            }

            argument.AddError("--url is the address of a sandbox, such as http://127.0.0.1:7310.");
            return null;
        },
    };

    /// <summary>Sends a request and prints the answer: to standard output when it succeeded, else to standard error.</summary>
    public static async Task<int> SendAsync(
        Uri url, HttpMethod method, string path, object? body, InvocationConfiguration console, CancellationToken cancellation)
    {
        using var client = new HttpClient(new SocketsHttpHandler { AllowAutoRedirect = false, UseProxy = false });
        using var request = new HttpRequestMessage(method, new Uri(url, "/__sandbox/" + path));
        request.Headers.Accept.Add(new MediaTypeWithQualityHeaderValue("application/json"));
        if (body is not null)
        {
            request.Content = JsonContent.Create(body, body.GetType());
        }

        try
        {
            using var response = await client.SendAsync(request, cancellation);
            var answer = await response.Content.ReadAsStringAsync(cancellation);
            var output = response.IsSuccessStatusCode ? console.Output : console.Error;
            await output.WriteLineAsync(answer);
            return response.IsSuccessStatusCode ? ExitCode.Ok : ExitCode.Failed;
        }
        catch (HttpRequestException exception)
        {
            await console.Error.WriteLineAsync($"postern-sandbox: no sandbox answers at {url}: {exception.Message}");
            return ExitCode.Failed;
        }
    }
}
