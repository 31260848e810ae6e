using System.Diagnostics;
using System.Text;
using Postern.Model;

namespace Postern.Vault.Tests.Fuzz;

/// <summary>
/// Readers of what strangers can write, under damaged input of a kept corpus: never another exception than their own, never plaintext, never
/// more memory than the input allows. A seed is printed with every failure; POSTERN_TEST_FULL=1 runs a minute for each reader.
/// </summary>
public sealed class VaultFuzzTests
{
    private static readonly bool Full = Environment.GetEnvironmentVariable("POSTERN_TEST_FULL") == "1";

    [Fact]
    public void Record_Damaged_NeverOpensAndNeverThrows()
    {
        var key = new byte[32];
        Run("record", input =>
        {
            _ = RecordFormat.KeyVersionOf(input);
            if (!RecordFormat.LooksLikeRecord(input))
                return;
            var before = GC.GetAllocatedBytesForCurrentThread();
            using var opened = RecordCipher.TryOpen(key, VaultSuite.HkdfSha512Aes256GcmCommit, "corpus"u8, input);
            // Suite and key version are bound by the associated data of a real record, which this corpus does not have.
            Assert.True(opened is null || Corpus("record").Any(one => one.AsSpan(RecordFormat.SaltOffset).SequenceEqual(input.AsSpan(RecordFormat.SaltOffset))), "A damaged record was opened.");
            Assert.True(opened is not null || GC.GetAllocatedBytesForCurrentThread() - before < 64 * 1024, "Too much was allocated for a record that proved nothing.");
        });
    }

    [Fact]
    public void Keyring_Damaged_IsReadOrRefusedByAFormatError()
    {
        Run("keyring", input =>
        {
            try
            {
                if (KeyringEnvelope.TryParse(input) is { } envelope)
                {
                    // What was read is written the same again.
                    Assert.Equal(envelope.Sealed, KeyringEnvelope.TryParse(envelope.ToUtf8())!.Sealed);
                    return;
                }
                using var document = KeyringDocument.Parse(input);
                using var again = KeyringDocument.Parse(document.ToUtf8());
                Assert.Equal(document.Current, again.Current);
            }
            catch (FormatException expected)
            {
                Assert.DoesNotContain("AAECAwQFBg", expected.ToString(), StringComparison.Ordinal);
            }
        });
    }

    [Fact]
    public void Answer_Damaged_IsReadOrIsEmpty()
    {
        var secret = new byte[BoundKey.Length];
        var now = new DateTimeOffset(2026, 1, 2, 3, 4, 5, TimeSpan.Zero);
        Run("answer", input =>
        {
            using var answer = RestAnswer.Of(200, input);
            foreach (var path in new string[][] { ["data", "plaintext"], ["Plaintext"], ["value"], ["plaintext"], ["errors"], ["error", "status"], ["key", "kid"] })
            {
                _ = answer.Text(path);
                _ = answer.Number(path);
                _ = answer.Bytes(path);
                _ = answer.IsTrue(path);
                secret.AsSpan().Fill(1);
                if (!answer.TrySecret(secret, url: false, path) && !answer.TrySecret(secret, url: true, path))
                    Assert.Equal(new byte[secret.Length], secret);
            }
            _ = AzureKeyVaultKeyStore.Versions(answer).Count();
            _ = GoogleKmsKeyStore.Versions(answer).Count();
            _ = AwsCredentialReader.ReadAssumed(input, now);
            _ = AzureWrappedKey.TryParse(input, out _);
            _ = GoogleTokens.Assertion(new SecretText(Encoding.Latin1.GetString(input) + " "), now);
        });
    }

    [Theory]
    [InlineData("record")]
    [InlineData("keyring")]
    [InlineData("answer")]
    public void Corpus_OfEveryReader_IsThere(string reader) => Assert.True(Corpus(reader).Count >= 3, $"The corpus of {reader} is gone.");

    private static void Run(string reader, Action<byte[]> read)
    {
        var corpus = Corpus(reader);
        foreach (var input in corpus)
            read(input);
        var began = Stopwatch.GetTimestamp();
        for (var seed = 0; Full ? Stopwatch.GetElapsedTime(began) < TimeSpan.FromMinutes(1) : seed < 20_000; seed++)
        {
            var input = Mutations.Of(corpus, new Random(seed));
            var started = Stopwatch.GetTimestamp();
            try
            {
                read(input);
            }
            catch (Exception failure)
            {
                Assert.Fail($"Reader {reader}, seed {seed}, input {Convert.ToBase64String(input)}: {failure}");
            }
            Assert.True(Stopwatch.GetElapsedTime(started) < TimeSpan.FromSeconds(10), $"Reader {reader}, seed {seed}: it hangs.");
        }
    }

    private static List<byte[]> Corpus(string reader) =>
        [.. Directory.GetFiles(Path.Combine(Repository.Root, "tests", "Postern.Vault.Tests", "Corpus", reader)).Order(StringComparer.Ordinal).Select(File.ReadAllBytes)];
}
