using Postern.Model;

namespace Postern.Policy;

/// <summary>The ticket to begin a connect. Only <see cref="ConnectPolicy"/> makes one.</summary>
public sealed class PermittedConnect
{
    internal PermittedConnect(Viewer viewer, Connection connection)
    {
        Subject = viewer.Subject;
        Connection = connection;
        Kind = viewer.Kind;
    }

    /// <summary>Who connects.</summary>
    public Subject Subject { get; }

    /// <summary>What they connect to, at the revision that was judged.</summary>
    public Connection Connection { get; }

    /// <summary>The kind of session that asked.</summary>
    public SessionKind Kind { get; }
}

/// <summary>Who may connect what.</summary>
public static class ConnectPolicy
{
    /// <summary>
    /// Judges a wish to connect: the viewer reaches the connection, and the connection runs under each person's own identity.
    /// Unknown, foreign and forbidden connections get the same answer.
    /// </summary>
    /// <param name="viewer">Who asks.</param>
    /// <param name="found">The connection they named, or null when the tenant has none of that name.</param>
    /// <returns><see cref="RefusalKind.NotFound"/> or <see cref="RefusalKind.Forbidden"/> otherwise.</returns>
    public static Outcome<PermittedConnect> Judge(Viewer viewer, Connection? found)
    {
        if (viewer.Reachable(found) is not { } connection)
            return Refusals.NoSuchConnection;
        return connection.Identity switch
        {
            IdentityMode.User => new PermittedConnect(viewer, connection),
            IdentityMode.Service => new Refusal(RefusalKind.Forbidden,
                $"{connection.DisplayName} is connected once for everybody by an administrator; there is nothing for you to connect.")
            {
                Code = "connect-service",
                Connection = connection.Id,
            },
            _ => new Refusal(RefusalKind.Forbidden,
                $"{connection.DisplayName} uses your company sign-in; there is nothing for you to connect.")
            {
                Code = "connect-federated",
                Connection = connection.Id,
            },
        };
    }
}
