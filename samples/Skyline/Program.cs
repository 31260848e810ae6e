using Skyline;

// Skyline: a customer portal that embeds a Postern workbook. Three things make the embed:
//   1. the page loads Postern's SDK and places <postern-workbook>            (Pages.Report)
//   2. this back end tells Postern who is looking and gets a single-use code (EmbedCodes)
//   3. Postern's configuration names this origin and this embed key
// Everything else below is the portal itself: its people, its sign-in, its pages.

var builder = WebApplication.CreateSlimBuilder(args);
builder.Logging.SetMinimumLevel(LogLevel.Warning);
var settings = SkylineSettings.Read(builder.Configuration);
builder.WebHost.UseUrls(settings.Origin);
builder.Services.AddSingleton(settings).AddSingleton<PortalSessions>().AddHttpClient<EmbedCodes>(http => http.BaseAddress = settings.Postern);

var app = builder.Build();
app.Use((context, next) =>
{
    context.Response.Headers.ContentSecurityPolicy = Pages.ContentSecurityPolicy(settings);
    context.Response.Headers.XContentTypeOptions = "nosniff";
    // Postern learns which origin embeds it from the Referer's origin; it never learns the path.
    context.Response.Headers["Referrer-Policy"] = "strict-origin";
    return next(context);
});
app.UseStaticFiles();

app.MapGet("/", (HttpContext context, PortalSessions sessions) =>
    sessions.Find(context) is { } person ? Results.Redirect(person.Customer.Path) : Pages.SignIn());

app.MapPost("/sign-in", async (HttpContext context, PortalSessions sessions) =>
{
    var form = await context.Request.ReadFormAsync(context.RequestAborted);
    return People.Find(form["person"].ToString()) is { } person
        ? Results.LocalRedirect(sessions.Begin(context, person).Customer.Path)
        : Results.BadRequest("Choose one of the people on the sign-in page.");
});

app.MapPost("/sign-out", (HttpContext context, PortalSessions sessions) =>
{
    sessions.End(context);
    return Results.LocalRedirect("/");
});

foreach (var customer in Customer.All)
{
    app.MapGet(customer.Path, (HttpContext context, PortalSessions sessions) =>
        sessions.Find(context) is { } person && person.Customer == customer
            ? Pages.Report(settings, person)
            : Results.LocalRedirect("/"));
}

// The SDK calls this when its frame wants a session. The person comes from Skyline's own session, never from the request.
app.MapPost("/postern/codes", async (CodeRequest request, HttpContext context, PortalSessions sessions, EmbedCodes codes) =>
{
    if (context.Request.Headers["X-Requested-With"] != "postern")
        return Results.BadRequest();
    return sessions.Find(context) is { } person
        ? await codes.IssueAsync(person, request, context.RequestAborted)
        : Results.Unauthorized();
});

app.MapGet("/healthz/ready", () => Results.Ok());

ParentProcess.StopWith(app, builder.Configuration["parent-pid"]);
await app.RunAsync();
