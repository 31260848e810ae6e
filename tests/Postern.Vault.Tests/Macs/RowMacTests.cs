using Postern.Model;

namespace Postern.Vault.Tests;

public sealed class RowMacTests : IDisposable
{
    private static readonly MacContext Session = MacContexts.Session(World.Acme, "s-1");
    private static readonly byte[] Row = new CanonicalFields("postern/session-row/1").Add("ana").Add(1_767_323_045_000L).Add(false).ToArray();

    private readonly World world = new();

    public void Dispose() => world.Dispose();

    [Fact]
    public async Task Mac_OfTheRowAsWritten_IsAcceptedByEveryNode()
    {
        var mac = await world.Vault.MacAsync(Session, Row, World.Cancellation);
        Assert.Equal(RowMac.Length, mac.Length);
        Assert.Null(await VerifyAsync(Session, Row, mac));
        Assert.Null((await world.Node().VerifyMacAsync(Session, Row, mac, World.Cancellation)).Refusal);
        Assert.Equal(mac, await world.Vault.MacAsync(Session, Row, World.Cancellation));
    }

    [Fact]
    public async Task Mac_AnySingleBitFlipped_IsRefusedWithTheErrorOfItsPart()
    {
        var mac = await world.Vault.MacAsync(Session, Row, World.Cancellation);
        for (var bit = 0; bit < mac.Length * 8; bit++)
        {
            var flipped = mac.ToArray();
            flipped[bit / 8] ^= (byte)(0x80 >> (bit % 8));
            var expected = (bit / 8) switch
            {
                0 => VaultError.NotARecord,
                < 3 => VaultError.UnsupportedSuite,
                < 19 => VaultError.UnknownKeyVersion,
                _ => VaultError.Refused,
            };
            Assert.Equal(expected, await VerifyAsync(Session, Row, flipped));
        }
        Assert.Equal(VaultError.NotARecord, await VerifyAsync(Session, Row, mac[..^1]));
        Assert.Equal(VaultError.NotARecord, await VerifyAsync(Session, Row, []));
    }

    [Fact]
    public async Task Row_AnySingleBitFlipped_IsRefused()
    {
        var mac = await world.Vault.MacAsync(Session, Row, World.Cancellation);
        for (var bit = 0; bit < Row.Length * 8; bit++)
        {
            var flipped = Row.ToArray();
            flipped[bit / 8] ^= (byte)(0x80 >> (bit % 8));
            Assert.Equal(VaultError.Refused, await VerifyAsync(Session, flipped, mac));
        }
    }

    [Fact]
    public async Task Mac_MovedToAnotherRowOrKind_IsRefused()
    {
        var mac = await world.Vault.MacAsync(Session, Row, World.Cancellation);
        MacContext[] elsewhere =
        [
            MacContexts.Session(World.Acme, "s-2"),
            MacContexts.Grant(World.Acme, World.Grant),
            MacContexts.PendingConnect(World.Acme, World.Grant.Value),
            MacContexts.EmbedCode(World.Acme, "s-1"),
            MacContexts.Definition(World.Acme, "s-1"),
            MacContexts.Extension(World.Acme, "session", "sessions", "s-1"),
        ];
        foreach (var context in elsewhere)
            Assert.Equal(VaultError.Refused, await VerifyAsync(context, Row, mac));
    }

    [Fact]
    public async Task Mac_MovedToAnotherTenant_IsRefused()
    {
        var mac = await world.Vault.MacAsync(Session, Row, World.Cancellation);
        await world.Vault.MacAsync(MacContexts.Session(World.Globex, "s-1"), Row, World.Cancellation);
        Assert.Equal(VaultError.UnknownKeyVersion, await VerifyAsync(MacContexts.Session(World.Globex, "s-1"), Row, mac));
    }

    [Fact]
    public void Mac_OfAnotherDeploymentWithTheSameKey_IsRefused()
    {
        var key = new byte[32];
        using var macKey = RowMac.DeriveKey(key);
        var mac = new byte[RowMac.Length];
        RowMac.Write(macKey.Reveal(), Guid.Empty, "one", Session, Row, mac);
        Assert.True(RowMac.Fits(macKey.Reveal(), Guid.Empty, "one", Session, Row, mac));
        Assert.False(RowMac.Fits(macKey.Reveal(), Guid.Empty, "two", Session, Row, mac));
    }

    private async Task<VaultError?> VerifyAsync(MacContext context, byte[] row, byte[] mac) =>
        (await world.Vault.VerifyMacAsync(context, row, mac, World.Cancellation)).Refusal?.AsVaultError();
}
