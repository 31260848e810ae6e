using System.Net.Http.Headers;
using System.Text;

namespace Skyline;

/// <summary>What the SDK sends: the frame's challenge and the workbook it shows.</summary>
public sealed record CodeRequest(string Challenge, string Workbook);

/// <summary>
/// The whole server side of an embed: tell Postern who is looking, get a code that only the frame with the matching nonce
/// can redeem, once, within 60 seconds.
/// </summary>
public sealed class EmbedCodes(HttpClient postern, SkylineSettings settings)
{
    public async Task<IResult> IssueAsync(Person person, CodeRequest request, CancellationToken cancellation)
    {
        var attributes = new Dictionary<string, object> { ["email"] = person.Email, ["name"] = person.Name };
        if (person.States is { } states)
            attributes["state"] = states;

        using var message = new HttpRequestMessage(HttpMethod.Post, "/api/embed/codes")
        {
            Content = JsonContent.Create(new
            {
                subject = person.Id,
                attributes,
                workbook = person.Customer.Workbook,
                origin = settings.Origin,
                challenge = request.Challenge,
            }),
        };
        var key = person.Customer.EmbedKey;
        message.Headers.Authorization = new AuthenticationHeaderValue(
            "Basic", Convert.ToBase64String(Encoding.UTF8.GetBytes($"{key}:{settings.EmbedSecrets[key]}")));

        try
        {
            using var response = await postern.SendAsync(message, cancellation);
            return Results.Content(
                await response.Content.ReadAsStringAsync(cancellation),
                response.Content.Headers.ContentType?.ToString() ?? "application/json",
                statusCode: (int)response.StatusCode);
        }
        catch (HttpRequestException)
        {
            return Results.Problem("Postern does not answer; the dashboard will try again.", statusCode: StatusCodes.Status503ServiceUnavailable);
        }
    }
}
