using CsCheck;
using Postern.Model;
using static Postern.Policy.Tests.People;

namespace Postern.Policy.Tests;

public sealed class RowFilterTests
{
    private static readonly Gen<RowFilter> Leaves = Gen.OneOf<RowFilter>(
        new RowFilter.Everything(), new RowFilter.Nothing(), new RowFilter.In("c", "a"), new RowFilter.In("d", "b"),
        new RowFilter.Lookup("c", "t", "k", new RowFilter.In("x", "a")), new RowFilter.Lookup("d", "t", "k", new RowFilter.In("x", "b")));

    private static readonly Gen<RowFilter> Trees = Combined(Combined(Combined(Leaves)));

    // Rows with columns c and d, values 0 to 2; table t maps k to x as k = x.
    private static readonly (string C, string D)[] Rows = [.. from c in "012" from d in "012" select (c.ToString(), d.ToString())];

    [Fact]
    public void For_EmptyAttribute_NeverShowsARow()
    {
        var filter = new RowFilter.Lookup("origin", "airports", "iata", new RowFilter.In("state", "state"));

        Assert.IsType<RowFilter.Nothing>(filter.For(Person()));
        Assert.IsType<RowFilter.Nothing>(filter.For(Person(("state", []))));
        Assert.IsType<RowFilter.Nothing>(filter.For(Person(("state", [""]))));
        Assert.IsType<RowFilter.Nothing>(filter.For(Person(("STATE", ["CA"]))));
        Assert.Equal(filter, filter.For(Person(("state", ["CA"]))));
    }

    [Fact]
    public void For_OrWithAnEmptyBranch_KeepsTheOther()
    {
        var state = new RowFilter.In("state", "state");

        Assert.Equal(state, new RowFilter.Or(new RowFilter.In("carrier", "carrier"), state).For(Person(("state", ["CA"]))));
        Assert.IsType<RowFilter.Nothing>(new RowFilter.And(new RowFilter.In("carrier", "carrier"), state).For(Person(("state", ["CA"]))));
    }

    [Fact]
    public void Attributes_OfATree_AreSortedAndOnce()
    {
        var filter = new RowFilter.Or(new RowFilter.And(new RowFilter.In("x", "b"), new RowFilter.In("y", "a")), new RowFilter.Lookup("c", "t", "k", new RowFilter.In("z", "b")));

        Assert.Equal(["a", "b"], filter.Attributes());
    }

    [Fact]
    public void ValuesOf_DropsEmptyAndRepeated() =>
        Assert.Equal(["CA", "TX"], RowFilter.ValuesOf(Person(("state", ["CA", "", "TX", "CA"])), "state"));

    [Fact]
    public void For_AnyTree_ShowsTheSameRows() => Gen.Select(Trees, Values, Values).Sample((filter, a, b) =>
    {
        var subject = Person(("a", a), ("b", b));
        return Rows.All(row => Shows(filter, row, subject) == Shows(filter.For(subject), row, subject));
    });

    [Fact]
    public void FewerAttributeValues_NeverShowMoreRows() => Gen.Select(Trees, Values, Values, Gen.Int[0, 3]).Sample((filter, a, b, keep) =>
    {
        var full = Person(("a", a), ("b", b));
        var less = Person(("a", [.. a.Take(keep)]), ("b", b));
        var none = Person();
        return Rows.All(row => (!Shows(filter, row, less) || Shows(filter, row, full)) && (!Shows(filter, row, none) || Shows(filter, row, less)));
    });

    private static Gen<string[]> Values => Gen.OneOf("0", "1", "2", "").Array[0, 3];

    private static Gen<RowFilter> Combined(Gen<RowFilter> inner) => Gen.OneOf(
        Leaves,
        Gen.Select(inner, inner).Select((left, right) => (RowFilter)new RowFilter.And(left, right)),
        Gen.Select(inner, inner).Select((left, right) => (RowFilter)new RowFilter.Or(left, right)));

    // The meaning of a tree, told independently of For.
    private static bool Shows(RowFilter filter, (string C, string D) row, Subject subject) => filter switch
    {
        RowFilter.Everything => true,
        RowFilter.Nothing => false,
        RowFilter.In leaf => RowFilter.ValuesOf(subject, leaf.Attribute).Contains(leaf.Column == "c" ? row.C : row.D),
        RowFilter.Lookup { Where: RowFilter.In where } lookup => RowFilter.ValuesOf(subject, where.Attribute).Contains(lookup.Column == "c" ? row.C : row.D),
        RowFilter.Lookup { Where: RowFilter.Nothing } => false,
        RowFilter.And and => Shows(and.Left, row, subject) && Shows(and.Right, row, subject),
        RowFilter.Or or => Shows(or.Left, row, subject) || Shows(or.Right, row, subject),
        _ => throw new InvalidOperationException(filter.ToString()),
    };
}
