using Postern.Model;

namespace Postern.Vault;

/// <summary>The token that a <see cref="TransitLogin"/> gives.</summary>
internal sealed class TransitLogins : IDisposable
{
    private readonly TransitOptions options;
    private readonly RestClient rest;
    private readonly AccessTokens<SecretText> tokens;

    public TransitLogins(TransitOptions options, RestClient rest, TimeProvider time)
    {
        this.options = options;
        this.rest = rest;
        tokens = new(LogInAsync, time);
    }

    /// <summary>The token; another than <paramref name="refused"/> where there can be another.</summary>
    public async Task<Outcome<SecretText>> TokenAsync(SecretText? refused, CancellationToken cancellation) =>
        options.Login is TransitLogin.TokenFile file
            ? await CredentialFile.ReadAsync(file.File, cancellation)
            : await tokens.GetAsync(refused, cancellation);

    public void Dispose() => tokens.Dispose();

    private async Task<Outcome<AccessToken<SecretText>>> LogInAsync(CancellationToken cancellation)
    {
        var (mount, name, nameValue, proof, file) = options.Login switch
        {
            TransitLogin.AppRole role => (role.Mount, "role_id", role.RoleId, "secret_id", role.SecretIdFile),
            TransitLogin.Kubernetes role => (role.Mount, "role", role.Role, "jwt", role.JwtFile),
            _ => throw new InvalidOperationException($"{options.Login.GetType().Name} does not log in."),
        };
        if (!(await CredentialFile.ReadAsync(file, cancellation)).TryGet(out var secret, out var unreadable))
            return unreadable;
        using var body = new SecretBody(json =>
        {
            json.WriteString(name, nameValue);
            json.WriteString(proof, secret.Reveal());
        });
        var sent = await rest.SendAsync(
            $"/v1/auth/{mount}/login", () => TransitKeyStore.Request(HttpMethod.Post, options, null, body), cancellation);
        if (!sent.TryGet(out var answer, out var why))
            return why;
        using (answer)
        {
            if (!answer.IsSuccess || answer.Text("auth", "client_token") is not { Length: > 0 } token)
                return rest.Unavailable($"refused the login at auth/{mount} ({answer.Status}). Check the role and the file {file}");
            // A lease of 0 does not end.
            var lease = answer.Number("auth", "lease_duration") is > 0 and var seconds ? TimeSpan.FromSeconds(Math.Min(seconds, 86_400)) : (TimeSpan?)null;
            return new AccessToken<SecretText>(new SecretText(token), lease);
        }
    }
}
