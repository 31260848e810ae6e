using System.Diagnostics;
using System.Globalization;
using System.Security.Cryptography;
using Microsoft.AspNetCore.DataProtection;
using Postern.Model;
using Postern.Vault;

// Seal and open on one core, against bare AES-256-GCM with one key for everything (the floor, without key commitment or context) and against
// ASP.NET Core Data Protection. The five take turns within each round, so that the ratio stands whatever else the machine does; the
// median of the rounds counts.

const int Length = 2048;
var rounds = args.Contains("--quick") ? 5 : 15;
var perRound = args.Contains("--quick") ? 2_000 : 20_000;

var folder = Directory.CreateTempSubdirectory("postern-vault-bench-");
try
{
    await MeasureAsync();
}
finally
{
    folder.Delete(recursive: true);
}

async Task MeasureAsync()
{
    if (OperatingSystem.IsWindows())
        throw new PlatformNotSupportedException("The file keyring needs Unix file modes.");
    var chance = new SystemChance();
    using var keyring = FileKeyring.OpenOrCreate(new() { Directory = Path.Combine(folder.FullName, "keys") }, "bench", chance, TimeProvider.System);
    using var vault = new TokenVault(new() { Deployment = "bench" }, keyring, new OneKey(), chance, TimeProvider.System);
    var context = RecordContexts.RefreshToken(
        new GrantId(Guid.Empty), new SubjectKey(TenantId.Parse("acme"), "https://idp.example", "ana"), ConnectionId.Parse("lake"), 7, new byte[32]);

    var plaintext = RandomNumberGenerator.GetBytes(Length);
    var record = new byte[TokenVault.SealedLength(Length)];
    var opened = new byte[Length];
    await vault.SealAsync(context, plaintext, record, CancellationToken.None);
    var sealedOnce = record.ToArray();

    using var gcm = new AesGcm(RandomNumberGenerator.GetBytes(32), 16);
    byte[] nonce = new byte[12], ciphertext = new byte[Length], tag = new byte[16];
    var protector = new EphemeralDataProtectionProvider().CreateProtector("bench");
    var protectedOnce = protector.Protect(plaintext);

    // Every call below completes at once: the key is in memory.
    var subjects = new (string Name, Action Run)[]
    {
        ("Postern seal", () => vault.SealAsync(context, plaintext, record, CancellationToken.None).GetAwaiter().GetResult()),
        ("Postern open", () => vault.OpenAsync(context, sealedOnce, opened, CancellationToken.None).GetAwaiter().GetResult()),
        ("bare AesGcm encrypt", () =>
        {
            RandomNumberGenerator.Fill(nonce);
            gcm.Encrypt(nonce, plaintext, ciphertext, tag);
        }),
        ("bare AesGcm decrypt", () => gcm.Decrypt(nonce, ciphertext, tag, opened)),
        ("Data Protection protect", () => protector.Protect(plaintext)),
        ("Data Protection unprotect", () => protector.Unprotect(protectedOnce)),
    };
    var rates = subjects.ToDictionary(subject => subject.Name, _ => new List<double>());
    var allocated = new Dictionary<string, double>();
    for (var round = -2; round < rounds; round++)
    {
        foreach (var (name, run) in subjects)
        {
            var before = GC.GetAllocatedBytesForCurrentThread();
            var began = Stopwatch.GetTimestamp();
            for (var i = 0; i < perRound; i++)
                run();
            var seconds = Stopwatch.GetElapsedTime(began).TotalSeconds;
            if (round < 0)
                continue;
            rates[name].Add(perRound / seconds);
            allocated[name] = (GC.GetAllocatedBytesForCurrentThread() - before) / (double)perRound;
        }
    }

    var floor = Median(rates["bare AesGcm encrypt"]);
    Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"| {Length} bytes, one core, median of {rounds} | records/s | allocated, bytes | of bare AesGcm |"));
    Console.WriteLine("|---|---:|---:|---:|");
    foreach (var (name, _) in subjects)
        Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"| {name} | {Median(rates[name]):0} | {allocated[name]:0.0} | {Median(rates[name]) / floor:0.00} |"));
}

static double Median(List<double> values) => values.Order().ElementAt(values.Count / 2);

/// <summary>The one tenant's wrapped key.</summary>
internal sealed class OneKey : IWrappedKeys
{
    private WrappedKey? key;

    public Task<IReadOnlyList<WrappedKey>> ReadAsync(TenantId tenant, CancellationToken cancellation) =>
        Task.FromResult<IReadOnlyList<WrappedKey>>(key is null ? [] : [key]);

    public Task<bool> TryAddFirstAsync(WrappedKey added, CancellationToken cancellation)
    {
        key = added;
        return Task.FromResult(true);
    }
}
