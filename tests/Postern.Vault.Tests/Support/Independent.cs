using System.Buffers.Binary;
using System.Security.Cryptography;
using System.Text;

namespace Postern.Vault.Tests;

/// <summary>
/// The record format a second time, written from the document and sharing no code with the vault: what another language would do.
/// </summary>
internal static class Independent
{
    public static byte[] Field(byte[]? value)
    {
        var length = new byte[4];
        BinaryPrimitives.WriteUInt32BigEndian(length, value is null ? uint.MaxValue : (uint)value.Length);
        return [.. length, .. value ?? []];
    }

    public static byte[] Field(string? value) => Field(value is null ? null : Encoding.UTF8.GetBytes(value));

    public static byte[] Uuid(Guid id) => Convert.FromHexString(id.ToString("N"));

    public static (byte[] Key, byte[] Commitment) Derive(byte[] tenantKey, byte[] salt, byte[] associatedData)
    {
        var hash = SHA512.HashData(associatedData);
        byte[] Expand(string label) => HKDF.DeriveKey(
            HashAlgorithmName.SHA512, tenantKey, 32, salt, [0x00, 0x01, .. Encoding.ASCII.GetBytes(label), .. hash]);
        return (Expand("DERIVEKEY"), Expand("COMMITKEY"));
    }

    public static byte[] Seal(byte[] tenantKey, Guid version, byte[] salt, byte[] nonce, byte[] associatedData, byte[] plaintext)
    {
        var (key, commitment) = Derive(tenantKey, salt, associatedData);
        var ciphertext = new byte[plaintext.Length];
        var tag = new byte[16];
        using var gcm = new AesGcm(key, 16);
        gcm.Encrypt(nonce, plaintext, ciphertext, tag, associatedData);
        return [0x01, 0x00, 0x01, .. Uuid(version), .. salt, .. commitment, .. nonce, .. ciphertext, .. tag];
    }

    /// <summary>
    /// One ciphertext and tag that AES-GCM opens under both keys: the attack on a mode that commits to no key (CVE-2020-8897).
    /// The first of its two blocks is chosen so that both keys' GHASH and mask agree on the tag (NIST SP 800-38D section 6.4).
    /// </summary>
    public static (byte[] Ciphertext, byte[] Tag) OpensUnderTwoKeys(byte[] first, byte[] second, byte[] nonce, byte[] associatedData)
    {
        var second16 = SHA256.HashData("the second block is free"u8)[..16];
        var (h1, mask1) = Subkeys(first, nonce);
        var (h2, mask2) = Subkeys(second, nonce);
        byte[] With(UInt128 block) => [.. Bytes(block), .. second16];

        // The first of two blocks is multiplied by H^3: itself, the second block, the block of lengths.
        var difference = Ghash(h1, associatedData, With(0)) ^ mask1 ^ Ghash(h2, associatedData, With(0)) ^ mask2;
        var factor = Multiply(h1, Multiply(h1, h1)) ^ Multiply(h2, Multiply(h2, h2));
        var ciphertext = With(Multiply(difference, Inverse(factor)));
        return (ciphertext, Bytes(Ghash(h1, associatedData, ciphertext) ^ mask1));
    }

    private static (UInt128 H, UInt128 Mask) Subkeys(byte[] key, byte[] nonce)
    {
        using var aes = Aes.Create();
        aes.Key = key;
        return (Number(aes.EncryptEcb(new byte[16], PaddingMode.None)), Number(aes.EncryptEcb([.. nonce, 0, 0, 0, 1], PaddingMode.None)));
    }

    private static UInt128 Ghash(UInt128 h, byte[] associatedData, byte[] ciphertext)
    {
        byte[] Padded(byte[] bytes) => [.. bytes, .. new byte[(16 - (bytes.Length % 16)) % 16]];
        var lengths = ((UInt128)(ulong)associatedData.Length * 8 << 64) | ((ulong)ciphertext.Length * 8);
        byte[] all = [.. Padded(associatedData), .. Padded(ciphertext), .. Bytes(lengths)];
        UInt128 sum = 0;
        foreach (var block in all.Chunk(16))
            sum = Multiply(sum ^ Number(block), h);
        return sum;
    }

    /// <summary>Multiplication in GF(2^128), bits in GCM's order (SP 800-38D section 6.3).</summary>
    private static UInt128 Multiply(UInt128 x, UInt128 y)
    {
        UInt128 product = 0;
        for (var bit = 127; bit >= 0; bit--)
        {
            if (((x >> bit) & 1) == 1)
                product ^= y;
            y = (y & 1) == 1 ? (y >> 1) ^ ((UInt128)0xE1 << 120) : y >> 1;
        }
        return product;
    }

    /// <summary>x^(2^128 - 2), Fermat.</summary>
    private static UInt128 Inverse(UInt128 x)
    {
        var power = x;
        var inverse = (UInt128)1 << 127;
        for (var bit = 1; bit < 128; bit++)
        {
            power = Multiply(power, power);
            inverse = Multiply(inverse, power);
        }
        return inverse;
    }

    private static UInt128 Number(byte[] block) => BinaryPrimitives.ReadUInt128BigEndian(block);

    private static byte[] Bytes(UInt128 number)
    {
        var block = new byte[16];
        BinaryPrimitives.WriteUInt128BigEndian(block, number);
        return block;
    }
}
