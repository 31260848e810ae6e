using Microsoft.Extensions.Logging;
using Postern.Grants.Pacing;
using Postern.Model;
using Postern.OAuth;
using Postern.Store;

namespace Postern.Grants.Connects;

/// <summary>
/// The last resort for fresh tokens that the database or the key store does not take, neither to keep nor for the outbox: the authorization
/// server is told at once, so that none lives on there that nobody holds and no list names.
/// </summary>
internal sealed partial class HandBack(PosternStore store, OAuthClient oauth, IssuerGates gates, ILogger<HandBack> log)
{
    /// <summary>The code of a connect whose tokens were not kept.</summary>
    public const string NotKept = "not-kept";

    private const string Revoked = "revoked";

    /// <summary>Tells the server, once, and writes down what it said, where that can be written.</summary>
    /// <param name="refused">What the log says of the connect.</param>
    /// <param name="cause">Why the tokens were not taken.</param>
    public async Task TellAsync(FreshTokens fresh, AuditEvent refused, Exception cause)
    {
        var answer = await AskAsync(fresh);
        Lost(log, answer == Revoked ? LogLevel.Warning : LogLevel.Error, fresh.Grant, fresh.Connection.Id, answer, cause);
        try
        {
            await store.RecordAsync(refused.With("provider", answer), CancellationToken.None);
        }
        catch (Exception)
        {
            // The database is what failed, and the line above says so.
        }
    }

    /// <summary>What the person is told.</summary>
    public static Refusal Refuse(Connection connection) => new(
        RefusalKind.Unavailable, $"Your connection to {connection.DisplayName} could not be stored just now. Nothing of it was kept; connect again shortly.")
    { Code = NotKept, Connection = connection.Id, RetryAfter = TimeSpan.FromSeconds(5) };

    /// <summary>What the server says of the refresh token, and of the access token where there is no other.</summary>
    private async Task<string> AskAsync(FreshTokens fresh)
    {
        var server = fresh.Connection.Authorization;
        try
        {
            if (!(await oauth.Metadata.GetAsync(server, CancellationToken.None)).TryGet(out var metadata, out var unknown))
                return unknown.Code;
            List<(SecretBytes Token, TokenKind Kind)> tokens = [(fresh.Tokens.Access, TokenKind.Access)];
            if (fresh.Tokens.Refresh is { } refresh)
                tokens.Insert(0, (refresh, TokenKind.Refresh));
            if (!(await gates.EnterAsync(server, Urgency.Person, tokens.Count)).TryGet(out var passage, out var full))
                return full.Code;
            using var passing = passage;
            var said = new List<string>();
            foreach (var (token, kind) in tokens)
            {
                var answer = await oauth.Revocations.RevokeAsync(server, metadata, token, kind, CancellationToken.None);
                passage.Heard(answer);
                said.Add(answer switch
                {
                    RevocationAnswer.Revoked => Revoked,
                    RevocationAnswer.NotSupported => "cannot-revoke",
                    RevocationAnswer.Rejected rejected => rejected.Error,
                    RevocationAnswer.Unavailable unavailable => unavailable.Kind.ToString(),
                    _ => "unknown",
                });
            }
            return said[0];
        }
        catch (Exception e)
        {
            return e.GetType().Name;
        }
    }

    [LoggerMessage(EventId = 4202, Message = "The tokens of grant {Grant} on {Connection} could not be stored. Their authorization server was to revoke them: {Answer}.")]
    private static partial void Lost(ILogger log, LogLevel level, GrantId grant, ConnectionId connection, string answer, Exception cause);
}
