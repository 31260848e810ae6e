using System.Buffers.Binary;
using System.Globalization;

namespace Postern.Warehouse;

/// <summary>Decimals of up to 38 digits as text with all their digits, and whether JavaScript would keep them.</summary>
internal static class DecimalText
{
    /// <summary>The longest text: 39 digits, sign, point, leading zeros of a scale up to 76.</summary>
    public const int MaxLength = 128;

    // 15 decimal digits always survive the way to a binary double and back (IEEE 754: DBL_DIG).
    private static readonly Int128 ExactInDouble = 999_999_999_999_999;

    /// <summary>Writes a decimal, such as <c>-0.05</c>.</summary>
    /// <param name="littleEndian">16 bytes, two's complement, as Arrow stores them.</param>
    /// <param name="exactAsNumber">True when a JSON number is read back as the same number by a reader that uses doubles.</param>
    /// <returns>The number of bytes.</returns>
    public static int Write(ReadOnlySpan<byte> littleEndian, int scale, Span<byte> target, out bool exactAsNumber)
    {
        var value = BinaryPrimitives.ReadInt128LittleEndian(littleEndian);
        exactAsNumber = value <= ExactInDouble && value >= -ExactInDouble;
        Span<byte> digits = stackalloc byte[48];
        var negative = Int128.IsNegative(value);
        ((UInt128)(negative ? -value : value)).TryFormat(digits, out var count, default, CultureInfo.InvariantCulture);
        var at = 0;
        if (negative)
            target[at++] = (byte)'-';
        var whole = count - scale;
        if (whole <= 0)
        {
            target[at++] = (byte)'0';
            if (scale > 0)
            {
                target[at++] = (byte)'.';
                target.Slice(at, -whole).Fill((byte)'0');
                at += -whole;
                digits[..count].CopyTo(target[at..]);
                at += count;
            }
            return at;
        }
        digits[..Math.Min(whole, count)].CopyTo(target[at..]);
        at += Math.Min(whole, count);
        if (scale > 0)
        {
            target[at++] = (byte)'.';
            digits[whole..count].CopyTo(target[at..]);
            at += count - whole;
        }
        else if (scale < 0 && value != 0)
        {
            target.Slice(at, -scale).Fill((byte)'0');
            at += -scale;
        }
        return at;
    }
}
