using System.Net;
using System.Text.RegularExpressions;
using Microsoft.AspNetCore.WebUtilities;

namespace Postern.Sandbox.Tests;

/// <summary>A person's browser: cookies carried by hand, redirects followed one by one, forms filled in from the page.</summary>
public sealed class Browser : IDisposable
{
    private readonly HttpClient _http;
    private readonly Dictionary<(string Name, string Path), string> _cookies = [];

    public Browser(Uri address) =>
        _http = new HttpClient(new SocketsHttpHandler { AllowAutoRedirect = false, UseCookies = false }) { BaseAddress = address };

    public IReadOnlyDictionary<(string Name, string Path), string> Cookies => _cookies;

    public Task<Page> GetAsync(string url) => SendAsync(new HttpRequestMessage(HttpMethod.Get, url));

    public Task<Page> PostAsync(string url, IEnumerable<KeyValuePair<string, string>> fields, string? origin = null)
    {
        var request = new HttpRequestMessage(HttpMethod.Post, url) { Content = new FormUrlEncodedContent(fields) };
        request.Headers.Add("Origin", origin ?? _http.BaseAddress!.GetLeftPart(UriPartial.Authority));
        return SendAsync(request);
    }

    /// <summary>Opens an authorization request and signs in as this person, unless somebody is.</summary>
    public async Task<Page> AuthorizeAsync(string url, string user)
    {
        var page = await GetAsync(url);
        return page.Title.StartsWith("Sign in", StringComparison.Ordinal) ? await SignInAsync(page, user) : page;
    }

    /// <summary>Picks a person on the sign-in page and follows back to the authorization endpoint.</summary>
    public async Task<Page> SignInAsync(Page page, string user)
    {
        var answer = await PostAsync(page.FormAction, [.. page.HiddenFields, new("user", user)]);
        Assert.Equal(HttpStatusCode.SeeOther, answer.Status);
        return await GetAsync(answer.Location!);
    }

    /// <summary>Answers the consent page; all scopes stay ticked but those named.</summary>
    public Task<Page> ConsentAsync(Page page, string decision = "allow", params string[] untick)
    {
        Assert.StartsWith("Allow", page.Title, StringComparison.Ordinal);
        var ticked = page.Scopes.Except(untick).Select(scope => KeyValuePair.Create("consent_scope", scope));
        return PostAsync(page.LastFormAction, [.. page.LastFormFields, .. ticked, new("consent_decision", decision)]);
    }

    public void Dispose() => _http.Dispose();

    private async Task<Page> SendAsync(HttpRequestMessage request)
    {
        var path = new Uri(_http.BaseAddress!, request.RequestUri!).AbsolutePath;
        var cookies = _cookies.Where(cookie => path.StartsWith(cookie.Key.Path, StringComparison.Ordinal)).ToList();
        if (cookies.Count > 0)
        {
            request.Headers.Add("Cookie", string.Join("; ", cookies.Select(cookie => $"{cookie.Key.Name}={cookie.Value}")));
        }

        using (request)
        {
            using var response = await _http.SendAsync(request, TestContext.Current.CancellationToken);
            foreach (var header in response.Headers.TryGetValues("Set-Cookie", out var values) ? values : [])
            {
                Remember(header);
            }

            return new Page(response, await response.Content.ReadAsStringAsync(TestContext.Current.CancellationToken));
        }
    }

    private void Remember(string header)
    {
        var parts = header.Split(';', StringSplitOptions.TrimEntries);
        var pair = parts[0].Split('=', 2);
        var path = parts.First(part => part.StartsWith("path=", StringComparison.OrdinalIgnoreCase))[5..];
        if (pair[1].Length == 0)
        {
            _cookies.Remove((pair[0], path));
        }
        else
        {
            _cookies[(pair[0], path)] = pair[1];
        }
    }
}

/// <summary>What a browser got.</summary>
public sealed partial class Page(HttpResponseMessage response, string html)
{
    public HttpStatusCode Status { get; } = response.StatusCode;

    public string Html => html;

    public string? Location { get; } = response.Headers.Location?.OriginalString;

    public string Header(string name) => _headers.TryGetValue(name, out var value) ? value : "";

    public string Title => WebUtility.HtmlDecode(TitleElement().Match(html).Groups[1].Value);

    /// <summary>The parameters of the redirect.</summary>
    public IReadOnlyDictionary<string, string> Answer
    {
        get
        {
            Assert.True(Location is not null, $"No redirect: {Status}\n{html}");
            return QueryHelpers.ParseQuery(new Uri(Location).Query).ToDictionary(pair => pair.Key, pair => pair.Value.Single()!);
        }
    }

    public string FormAction => Forms[0].Action;

    public IEnumerable<KeyValuePair<string, string>> HiddenFields => Forms[0].Fields;

    public string LastFormAction => Forms[^1].Action;

    public IEnumerable<KeyValuePair<string, string>> LastFormFields => Forms[^1].Fields;

    /// <summary>The scopes that have a box on the page.</summary>
    public IReadOnlyList<string> Scopes => [.. Checkbox().Matches(html).Select(match => match.Groups[1].Value)];

    private readonly Dictionary<string, string> _headers =
        response.Headers.ToDictionary(header => header.Key, header => string.Join(",", header.Value), StringComparer.OrdinalIgnoreCase);

    private List<(string Action, List<KeyValuePair<string, string>> Fields)> Forms => [.. Form().Matches(html).Select(form => (
        WebUtility.HtmlDecode(form.Groups[1].Value),
        Hidden().Matches(form.Groups[2].Value).Select(input => KeyValuePair.Create(
            WebUtility.HtmlDecode(input.Groups[1].Value), WebUtility.HtmlDecode(input.Groups[2].Value))).ToList()))];

    [GeneratedRegex("<title>(.*?)</title>")]
    private static partial Regex TitleElement();

    [GeneratedRegex("<form[^>]* action=\"([^\"]*)\">(.*?)</form>", RegexOptions.Singleline)]
    private static partial Regex Form();

    [GeneratedRegex("<input type=\"hidden\" name=\"([^\"]*)\" value=\"([^\"]*)\">")]
    private static partial Regex Hidden();

    [GeneratedRegex("<input type=\"checkbox\"[^>]*value=\"([^\"]*)\"")]
    private static partial Regex Checkbox();
}
