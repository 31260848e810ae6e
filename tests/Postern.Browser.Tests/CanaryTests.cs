using System.Net.Http.Json;
using System.Text;
using System.Text.Json;
using System.Text.RegularExpressions;
using System.Web;
using Postern.Browser.Tests.Evidence;
using Postern.Browser.Tests.Stage;
using Xunit.Sdk;
using Xunit.v3;

[assembly: TestCollectionOrderer(typeof(Postern.Browser.Tests.CanaryLast))]

namespace Postern.Browser.Tests;

/// <summary>
/// Searches everything that the run let out: each request and answer that any browser saw, their storage, what the three servers
/// printed, the exported audit trail and the bytes of the database. Runs last, over all the other tests' traffic.
/// </summary>
public sealed partial class CanaryTests(DemoStage stage)
{
    [Fact]
    public async Task WholeRun_TokensAndSecrets_AreNowhereTheyDoNotBelong()
    {
        // A connect of its own, so that this test says something even when it runs alone.
        await stage.ForgetAsync("ana");
        await using (var visit = await stage.VisitAsync())
            await (await visit.SkylineAsync("ana")).Dashboard.ConnectedAsync("ana");
        var seen = await EverythingAsync();
        var scan = await TokenScan.OfAsync(stage.Addresses.SandboxData, await stage.SandboxLogAsync());
        await ScanFindsPlantedAsync();

        List<string> leaks = [];
        foreach (var sighting in seen)
        {
            // A code is allowed in one place: the redirect that brings it, which is worthless without the browser's binding.
            var text = sighting.Place is Place.Url or Place.Location ? WithoutCallbackCode(sighting.Text) : sighting.Text;
            leaks.AddRange(scan.Find(text).Select(found => $"{sighting.Place} of {sighting.Source.Split('?')[0]}: {found}"));
            leaks.AddRange(DemoConfiguration.Secrets.Where(secret => text.Contains(secret, StringComparison.Ordinal))
                .Select(secret => $"{sighting.Place} of {sighting.Source}: the configured {secret}"));
        }
        leaks.AddRange(Misplaced(seen, "an authorization code", Codes(seen), sighting => sighting.Place is Place.Url or Place.Location, AlsoInUrl));
        leaks.AddRange(Misplaced(seen, "a cookie's value", CookieValues(seen), sighting => sighting.Place == Place.CookieHeader));
        leaks.AddRange(Misplaced(seen, "a handle, confirmation, embed code or nonce", OneTimeSecrets(seen),
            sighting => sighting.Place is Place.RequestBody or Place.ResponseBody));
        Assert.Empty(leaks.Distinct());
    }

    /// <summary>The search itself: minted tokens have to be found in every kind of text.</summary>
    private async Task ScanFindsPlantedAsync()
    {
        using var http = new HttpClient();
        List<string> tokens = [];
        foreach (var issuer in new[] { "workspace", "generic" })
        {
            using var minted = await http.PostAsJsonAsync(stage.Addresses.Sandbox + "/__sandbox/mint", new { issuer, user = "admin" });
            var answer = await minted.Content.ReadFromJsonAsync<JsonElement>();
            tokens.Add(answer.GetProperty("access_token").GetString()!);
            tokens.Add(answer.GetProperty("refresh_token").GetString()!);
        }
        var scan = await TokenScan.OfAsync(stage.Addresses.SandboxData, await stage.SandboxLogAsync());
        Assert.True(scan.Known > 4);
        Assert.All(tokens, token => Assert.NotEmpty(scan.Find($"\0\u0001{{\"x\":\"{token}\"}}\u00ff")));
        Assert.Empty(scan.Find(OutsideClient.NewNonce()));
    }

    private async Task<List<Sighting>> EverythingAsync()
    {
        List<Sighting> seen = [.. stage.Seen.All];
        foreach (var server in stage.Servers)
            seen.Add(new(Place.Output, server.Name, server.Output));
        seen.Add(new(Place.Audit, "audit export", string.Join('\n', await stage.AuditAsync())));
        foreach (var file in Directory.GetFiles(Path.GetDirectoryName(stage.Addresses.Database)!))
        {
            await using var stream = new FileStream(file, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete);
            using var bytes = new MemoryStream();
            await stream.CopyToAsync(bytes);
            seen.Add(new(Place.Database, Path.GetFileName(file), Encoding.Latin1.GetString(bytes.ToArray())));
        }
        foreach (var place in Enum.GetValues<Place>())
            Assert.Contains(seen, sighting => sighting.Place == place);
        return seen;
    }

    private static IEnumerable<string> Misplaced(
        List<Sighting> seen, string what, HashSet<string> secrets, Func<Sighting, bool> allowed, Func<string, Sighting, bool>? judge = null)
    {
        Assert.NotEmpty(secrets);
        foreach (var sighting in seen)
        {
            foreach (var secret in secrets)
            {
                if ((!allowed(sighting) || judge?.Invoke(secret, sighting) == true) && sighting.Text.Contains(secret, StringComparison.Ordinal))
                    yield return $"{sighting.Place} of {sighting.Source.Split('?')[0]}: {what} ({secret[..Math.Min(6, secret.Length)]}…)";
            }
        }
    }

    /// <summary>In an address, a code is at home only where the redirect goes.</summary>
    private static bool AlsoInUrl(string code, Sighting sighting) => sighting.Text != WithoutCallbackCode(sighting.Text)
        ? WithoutCallbackCode(sighting.Text).Contains(code, StringComparison.Ordinal)
        : true;

    private static HashSet<string> Codes(List<Sighting> seen) =>
        [.. seen.Where(sighting => sighting.Place == Place.Url).Select(sighting => Callback().Match(sighting.Text)).Where(match => match.Success)
            .Select(match => HttpUtility.UrlDecode(match.Groups["code"].Value)).Where(code => code.Length > 20)];

    private static HashSet<string> CookieValues(List<Sighting> seen) =>
        [.. seen.Where(sighting => sighting.Place == Place.CookieHeader).SelectMany(sighting => OurCookie().Matches(sighting.Text)).Select(match => match.Groups["value"].Value)];

    private static HashSet<string> OneTimeSecrets(List<Sighting> seen) =>
        [.. seen.Where(sighting => sighting.Place is Place.RequestBody or Place.ResponseBody).SelectMany(sighting => OneTime().Matches(sighting.Text)).Select(match => match.Groups["value"].Value)];

    private static string WithoutCallbackCode(string url) => Callback().Replace(url, match => match.Value.Replace(match.Groups["code"].Value, "", StringComparison.Ordinal));

    [GeneratedRegex(@"/(oauth|sign-in)/callback\?(.*&)?code=(?<code>[^&]*)")]
    private static partial Regex Callback();

    [GeneratedRegex(@"__Host-postern[a-zA-Z0-9_-]*=(?<value>[A-Za-z0-9_-]{20,})")]
    private static partial Regex OurCookie();

    [GeneratedRegex(@"(""(handle|confirmation|code|nonce)"":""|data-confirmation="")(?<value>[A-Za-z0-9_.-]{40,})""")]
    private static partial Regex OneTime();
}

/// <summary>The canary reads what the other tests left.</summary>
public sealed class CanaryLast : ITestCollectionOrderer
{
    public IReadOnlyCollection<TTestCollection> OrderTestCollections<TTestCollection>(IReadOnlyCollection<TTestCollection> testCollections)
        where TTestCollection : ITestCollection =>
        [.. testCollections.OrderBy(collection => collection.TestCollectionDisplayName.Contains(nameof(CanaryTests), StringComparison.Ordinal))];
}
