using Postern.Model;

namespace Postern.OAuth;

/// <summary>
/// Judges a callback against the authorization it claims to answer, and mints the one ticket for the code exchange. Pure: no
/// sending, no store. The caller has found the pending authorization by <see cref="CallbackParameters.StateDigest"/>, consumed it,
/// and checked that this browser began it.
/// </summary>
public sealed class CallbackJudge
{
    private readonly OAuthOptions options;

    internal CallbackJudge(OAuthOptions options) => this.options = options;

    /// <summary>
    /// Judges, errors included, in the order that lets a stranger learn nothing: state, place, issuer, and only then what the
    /// response says. Refusals: <c>state-mismatch</c>, <c>connection-changed</c>, <c>redirect-uri-mismatch</c>, <c>iss-missing</c>,
    /// <c>iss-mismatch</c>, <c>iss-unannounced</c>, <c>access-denied</c> (as <see cref="RefusalKind.ReconnectRequired"/> with
    /// <see cref="ReconnectReason.Denied"/>), or the registered error with hyphens, such as <c>invalid-scope</c>.
    /// </summary>
    /// <param name="parameters">What came.</param>
    /// <param name="pending">What was kept.</param>
    /// <param name="settings">The connection as it is now.</param>
    /// <param name="receivedAt">
    /// The redirect URI the response came in on, as configured; distinct for servers without <c>iss</c> (RFC 9700 section 4.4.2.2).
    /// </param>
    public Outcome<ValidatedCallback> Judge(
        CallbackParameters parameters, PendingAuthorization pending, AuthorizationSettings settings, string receivedAt)
    {
        if (!parameters.State.Equals(pending.State))
            return Untrusted("state-mismatch");
        if (!Same(settings.Issuer, pending.Issuer) || !Same(settings.ClientId, pending.ClientId))
        {
            return new Refusal(RefusalKind.Conflict, "The connection was changed while you were signing in. Start again.")
            {
                Code = "connection-changed",
            };
        }
        if (!Same(receivedAt, pending.RedirectUri))
            return Untrusted("redirect-uri-mismatch");

        // RFC 9207 section 2.4: simple string comparison, for errors as for codes.
        if (parameters.Issuer is null && pending.ExpectsIss)
            return Untrusted("iss-missing");
        if (parameters.Issuer is not null && !Same(parameters.Issuer, pending.Issuer))
            return Untrusted("iss-mismatch");
        if (parameters.Issuer is not null && !pending.ExpectsIss && !options.AcceptUnannouncedIss)
            return Untrusted("iss-unannounced");

        if (parameters.Error is { } error)
            return Denied(error);
        return new ValidatedCallback(parameters.Code!, pending);
    }

    private static bool Same(string one, string other) => string.Equals(one, other, StringComparison.Ordinal);

    private static Refusal Denied(string error)
    {
        var (kind, detail) = error switch
        {
            OAuthErrors.AccessDenied => (RefusalKind.ReconnectRequired,
                "Access was denied at the authorization server, so nothing was connected."),
            OAuthErrors.ServerError or OAuthErrors.TemporarilyUnavailable => (RefusalKind.AuthorizationServerUnavailable,
                "The authorization server could not complete the sign-in. Try again shortly."),
            _ => (RefusalKind.InvalidRequest,
                $"The authorization server refused the request ({error}). An administrator has to compare the connection with its registration there."),
        };
        return new Refusal(kind, detail)
        {
            Code = error.Replace('_', '-'),
            Reconnect = kind == RefusalKind.ReconnectRequired ? ReconnectReason.Denied : null,
        };
    }

    private static Refusal Untrusted(string code) => new(RefusalKind.Untrusted,
        "The answer that came back does not belong to the request that was sent. Nothing was stored; start again.")
    { Code = code };
}
