using System.Net;
using System.Text;

namespace Skyline;

/// <summary>Skyline's two pages, server rendered.</summary>
public static class Pages
{
    public static string ContentSecurityPolicy(SkylineSettings settings)
    {
        var postern = settings.Postern.GetLeftPart(UriPartial.Authority);
        return $"default-src 'none'; script-src {postern}; style-src 'self'; img-src 'self' data:; connect-src 'self'; " +
               $"frame-src {postern}; base-uri 'none'; form-action 'self'; frame-ancestors 'none'";
    }

    public static IResult SignIn()
    {
        var people = new StringBuilder();
        foreach (var group in People.All.GroupBy(person => person.Customer))
        {
            people.Append($"<section><h2>{Text(group.Key.Name)}</h2><ul>");
            foreach (var person in group)
            {
                people.Append($"""
                    <li><form method="post" action="/sign-in"><button name="person" value="{Text(person.Id)}">
                    <span class="who">{Text(person.Name)}</span><span class="note">{Text(person.Note)}</span></button></form></li>
                    """);
            }
            people.Append("</ul></section>");
        }
        return Page("Sign in", "", $"""<main class="sign-in"><h1>Welcome to Skyline</h1><p>This is a demo: choose who you are.</p>{people}</main>""");
    }

    public static IResult Report(SkylineSettings settings, Person person)
    {
        var postern = settings.Postern.GetLeftPart(UriPartial.Authority);
        var customer = person.Customer;
        return Page(customer.Headline, $"""
            <form method="post" action="/sign-out" class="person"><span>{Text(person.Name)}</span><button>Sign out</button></form>
            """, $"""
            <main>
              <p class="crumb">{Text(customer.Name)}</p>
              <h1>{Text(customer.Headline)}</h1>
              <p class="lead">{Text(customer.Lead)}</p>
              <postern-workbook src="{postern}/embed/{customer.Workbook}" codes="/postern/codes"></postern-workbook>
            </main>
            <script type="module" src="{postern}/assets/embed.js"></script>
            """);
    }

    private static IResult Page(string title, string header, string body) => Results.Content($"""
        <!doctype html>
        <html lang="en">
        <head>
          <meta charset="utf-8">
          <meta name="viewport" content="width=device-width, initial-scale=1">
          <meta name="color-scheme" content="light dark">
          <title>{Text(title)} · Skyline</title>
          <link rel="stylesheet" href="/skyline.css">
          <link rel="icon" href="/skyline.svg" type="image/svg+xml">
        </head>
        <body>
          <header><a href="/" class="brand"><img src="/skyline.svg" alt="" width="28" height="28">Skyline</a>{header}</header>
          {body}
        </body>
        </html>
        """, "text/html; charset=utf-8");

    private static string Text(string value) => WebUtility.HtmlEncode(value);
}
