namespace Postern.Sandbox.Pages;

/// <summary>What each scope reaches, in plain words.</summary>
internal static class ScopeWords
{
    /// <summary>Whether a scope cannot be left out of a consent: without <c>openid</c> there is no sign-in to consent to.</summary>
    public static bool IsRequired(string scope) => scope == "openid";

    /// <summary>The heading and the explanation of a scope, as they concern this person.</summary>
    public static (string Title, string Reaches) Of(string scope, DemoUser user) => scope switch
    {
        "openid" => ("Know which account you use", "Your account number here, and nothing else about you."),
        "profile" => ("See your name", $"The name “{user.Name}”."),
        "email" => ("See your email address", $"The address {user.Email}."),
        "sql" => ("Run queries as you", $"Reads tables with your own rights: {Rows(user)}. It can never see more than you can."),
        "all-apis" => ("Use every interface as you", "Queries, files, jobs, settings: whatever you may do yourself. Dashboards rarely need it."),
        "offline_access" => ("Stay connected while you are away", "Dashboards refresh without asking you again, until you or an administrator end it."),
        _ => (scope, "An interface this page has no words for."),
    };

    /// <summary>What a person may see, in a few words.</summary>
    public static string Rows(DemoUser user) => user.States switch
    {
        null => "flights of all states",
        [] => "no flights",
        [var state] => $"flights of {StateName(state)}",
        var states => $"flights of {string.Join(", ", states.Select(StateName))}",
    };

    private static string StateName(string code) => code switch { "CA" => "California", "TX" => "Texas", _ => code };
}
