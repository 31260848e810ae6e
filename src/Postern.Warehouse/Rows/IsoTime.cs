using System.Buffers.Text;

namespace Postern.Warehouse;

/// <summary>
/// Dates and times as ISO 8601 text, from the counts Arrow stores, for any year: <see cref="DateTime"/> ends at 9999 and a result must not.
/// Years outside 0 to 9999 are written with a sign and at least six digits (ISO 8601-1 section 4.3.2, as ECMAScript does).
/// </summary>
internal static class IsoTime
{
    /// <summary>The longest text this class writes.</summary>
    public const int MaxLength = 40;

    private const long SecondsPerDay = 86_400;

    /// <summary>Writes <c>yyyy-MM-dd</c>.</summary>
    /// <param name="days">Days since 1970-01-01.</param>
    /// <returns>The number of bytes.</returns>
    public static int Date(long days, Span<byte> target)
    {
        var (year, month, day) = Civil(days);
        var at = Year(year, target);
        target[at++] = (byte)'-';
        Digits(month, 2, target, ref at);
        target[at++] = (byte)'-';
        Digits(day, 2, target, ref at);
        return at;
    }

    /// <summary>Writes <c>yyyy-MM-ddTHH:mm:ss[.fraction][Z]</c>; the fraction, of as many digits as the unit has, only when it is not zero.</summary>
    /// <param name="ticks">Units since 1970-01-01T00:00:00.</param>
    /// <param name="fractionDigits">0, 3, 6 or 9: seconds to nanoseconds.</param>
    /// <param name="utc">Whether it is an instant, marked by <c>Z</c>, or a local time.</param>
    /// <returns>The number of bytes.</returns>
    public static int Timestamp(long ticks, int fractionDigits, bool utc, Span<byte> target)
    {
        var perSecond = fractionDigits switch { 0 => 1L, 3 => 1_000L, 6 => 1_000_000L, _ => 1_000_000_000L };
        var (seconds, fraction) = FloorDivide(ticks, perSecond);
        var (days, time) = FloorDivide(seconds, SecondsPerDay);
        var at = Date(days, target);
        target[at++] = (byte)'T';
        Digits(time / 3600, 2, target, ref at);
        target[at++] = (byte)':';
        Digits(time / 60 % 60, 2, target, ref at);
        target[at++] = (byte)':';
        Digits(time % 60, 2, target, ref at);
        if (fraction != 0)
        {
            target[at++] = (byte)'.';
            Digits(fraction, fractionDigits, target, ref at);
        }
        if (utc)
            target[at++] = (byte)'Z';
        return at;
    }

    // Days to a proleptic Gregorian date over 400-year eras that begin on 1 March, so that the leap day is the last of its year.
    private static (long Year, long Month, long Day) Civil(long days)
    {
        const long DaysPerEra = 146_097;
        const long EpochInEra = 719_468;
        var (era, dayOfEra) = FloorDivide(days + EpochInEra, DaysPerEra);
        var yearOfEra = (dayOfEra - dayOfEra / 1460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365;
        var dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100);
        var shiftedMonth = (5 * dayOfYear + 2) / 153;
        var month = shiftedMonth < 10 ? shiftedMonth + 3 : shiftedMonth - 9;
        return (era * 400 + yearOfEra + (month <= 2 ? 1 : 0), month, dayOfYear - (153 * shiftedMonth + 2) / 5 + 1);
    }

    private static (long Quotient, long Remainder) FloorDivide(long value, long by)
    {
        var (quotient, remainder) = Math.DivRem(value, by);
        return remainder < 0 ? (quotient - 1, remainder + by) : (quotient, remainder);
    }

    private static int Year(long year, Span<byte> target)
    {
        var at = 0;
        if (year is >= 0 and <= 9999)
        {
            Digits(year, 4, target, ref at);
            return at;
        }
        target[at++] = year < 0 ? (byte)'-' : (byte)'+';
        var size = Math.Abs(year);
        if (size <= 999_999)
        {
            Digits(size, 6, target, ref at);
            return at;
        }
        Utf8Formatter.TryFormat(size, target[at..], out var written);
        return at + written;
    }

    private static void Digits(long value, int count, Span<byte> target, ref int at)
    {
        for (var i = count - 1; i >= 0; i--)
        {
            target[at + i] = (byte)('0' + value % 10);
            value /= 10;
        }
        at += count;
    }
}
