using System.Collections.Immutable;
using System.Globalization;
using System.Text;
using Postern.Policy;

namespace Postern.Gateway.Workbooks;

/// <summary>
/// Turns a query's SQL into the finite set of constant texts it can mean: one for every choice, for every control that is there or not,
/// for every bucket of list sizes (1, 2, 4 … up to the control's <c>max_items</c>) and of attribute values. At most 64.
/// </summary>
internal sealed class SqlExpander(QueryDefinition query, SqlTemplate template, ImmutableArray<Control> controls, ImmutableArray<TablePolicy>? policies)
{
    /// <summary>The most texts a query may have.</summary>
    public const int MaxVariants = 64;

    /// <summary>The published query, or everything that is wrong with one of its texts.</summary>
    public (PublishedQuery? Query, IReadOnlyList<SqlProblem> Problems) Expand()
    {
        var axes = Axes();
        var count = axes.Aggregate(1L, (product, axis) => product * Positions(axis).Count);
        if (count > MaxVariants)
        {
            var sizes = string.Join(" × ", axes.Select(axis => string.Create(CultureInfo.InvariantCulture, $"{axis.Name} {Positions(axis).Count}")));
            return (null, [new(1, $"The query has {count} variants ({sizes}); at most {MaxVariants} are published.",
                "Lower max_items, use fewer choices, or split the query in two.")]);
        }

        var variants = ImmutableArray.CreateBuilder<PublishedVariant>();
        var openNames = new SortedSet<string>(StringComparer.Ordinal);
        var problems = new List<SqlProblem>();
        foreach (var position in Product(axes))
        {
            var tokens = new List<SqlToken>();
            Flatten(template.Parts, position, tokens);
            problems.AddRange(SqlGuard.Check(tokens, controls, policies));
            openNames.UnionWith(policies is null ? [] : SqlGuard.OpenNames(tokens));
            if (problems.Count == 0)
                variants.Add(Render(tokens, position));
        }
        if (problems.Count > 0)
            return (null, [.. problems.Distinct()]);
        return (new(query.Name, query.Bind, query.Columns, query.Limit, query.Timeout, axes, variants.ToImmutable(),
            [.. AppliedPolicies().Select(policy => policy.Stamp)], [.. openNames]), []);
    }

    private ImmutableArray<VariantAxis> Axes()
    {
        var axes = ImmutableArray.CreateBuilder<VariantAxis>();
        foreach (var control in controls.Where(control => template.Used.Contains(control.Name)))
        {
            if (control is ChoiceControl)
                axes.Add(new(ParameterKind.Control, control.Name, []));
            else if (control is StringControl { Optional: true } text)
                axes.Add(new(ParameterKind.Control, control.Name, PowersOfTwo(text.MaxItems)));
        }
        foreach (var attribute in AppliedPolicies().SelectMany(policy => policy.Rows.Attributes()).Distinct(StringComparer.Ordinal).Order(StringComparer.Ordinal))
            axes.Add(new(ParameterKind.Attribute, attribute, RowFilterSql.Buckets));
        return axes.ToImmutable();
    }

    private List<string> Positions(VariantAxis axis)
    {
        if (axis.Kind == ParameterKind.Attribute)
            return [.. axis.Buckets.Select(bucket => VariantKey.Attribute(axis.Name, bucket))];
        var control = controls.First(candidate => string.Equals(candidate.Name, axis.Name, StringComparison.Ordinal));
        return control is ChoiceControl choice
            ? [.. choice.Choices.Select(one => VariantKey.Control(axis.Name, one.Key))]
            : [VariantKey.Absent(axis.Name), .. axis.Buckets.Select(bucket => VariantKey.Control(axis.Name, bucket.ToString(CultureInfo.InvariantCulture)))];
    }

    private IEnumerable<ImmutableArray<string>> Product(ImmutableArray<VariantAxis> axes)
    {
        IEnumerable<ImmutableArray<string>> product = [[]];
        foreach (var axis in axes)
            product = product.SelectMany(_ => Positions(axis), (head, position) => head.Add(position));
        return product;
    }

    private void Flatten(ImmutableArray<SqlPart> parts, ImmutableArray<string> position, List<SqlToken> tokens)
    {
        foreach (var part in parts)
        {
            switch (part)
            {
                // A space on both sides: pieces that become neighbours must not grow together, as '-' and '-' into a comment.
                case SqlPart.When block:
                    tokens.Add(Space(block.Line));
                    if (!position.Contains(VariantKey.Absent(block.Control)))
                        Flatten(block.Parts, position, tokens);
                    tokens.Add(Space(block.Line));
                    break;
                case SqlPart.Piece { Token: { Kind: SqlKind.Choice } token }:
                    tokens.Add(Space(token.Line));
                    tokens.AddRange(SqlLexer.Read(Chosen(token.Name, position).Sql).Tokens.Select(piece => piece with { Line = token.Line }));
                    tokens.Add(Space(token.Line));
                    break;
                case SqlPart.Piece piece:
                    tokens.Add(piece.Token);
                    break;
            }
        }
    }

    private static SqlToken Space(int line) => new(SqlKind.Space, " ", line);

    private Choice Chosen(string name, ImmutableArray<string> position)
    {
        var choice = controls.OfType<ChoiceControl>().First(control => string.Equals(control.Name, name, StringComparison.Ordinal));
        return choice.Choices.First(one => position.Contains(VariantKey.Control(name, one.Key)));
    }

    private PublishedVariant Render(List<SqlToken> tokens, ImmutableArray<string> position)
    {
        var sql = new StringBuilder();
        var parameters = new List<ParameterSource>();
        foreach (var token in tokens)
        {
            sql.Append(token.Kind switch
            {
                SqlKind.Parameter => Parameter(token, position, parameters),
                SqlKind.Rows => RowFilterSql.DerivedTable(token.Name, token.Detail, PoliciesOn(token.Name), attribute => BucketOf(attribute, position), parameters),
                _ => token.Text,
            });
        }
        var text = sql.ToString().Trim();
        return new(VariantKey.Join(position), text, Sha256.Hex(text), [.. parameters]);
    }

    private string Parameter(SqlToken token, ImmutableArray<string> position, List<ParameterSource> parameters)
    {
        var control = controls.First(candidate => string.Equals(candidate.Name, token.Name, StringComparison.Ordinal));
        ImmutableArray<ParameterSource> sources = control switch
        {
            DateRangeControl => [new($"{token.Name}__{token.Detail}", BoundType.Date, ParameterKind.Control, token.Name, token.Detail)],
            IntControl number => [new(token.Name, number is { Min: >= int.MinValue, Max: <= int.MaxValue } ? BoundType.Int : BoundType.BigInt, ParameterKind.Control, token.Name)],
            StringControl { Many: true } list => [.. Enumerable.Range(0, SizeOf(list, position))
                .Select(index => new ParameterSource(string.Create(CultureInfo.InvariantCulture, $"{token.Name}__{index}"), BoundType.String, ParameterKind.Control, token.Name, Index: index))],
            _ => [new(token.Name, BoundType.String, ParameterKind.Control, token.Name)],
        };
        parameters.AddRange(sources.Where(source => !parameters.Contains(source)));
        return string.Join(", ", sources.Select(source => ":" + source.Name));
    }

    private static int SizeOf(StringControl list, ImmutableArray<string> position) =>
        PowersOfTwo(list.MaxItems).First(size => position.Contains(VariantKey.Control(list.Name, size.ToString(CultureInfo.InvariantCulture))));

    private static int BucketOf(string attribute, ImmutableArray<string> position) =>
        RowFilterSql.Buckets.First(bucket => position.Contains(VariantKey.Attribute(attribute, bucket)));

    private IEnumerable<TablePolicy> AppliedPolicies() => Rows(template.Parts).SelectMany(PoliciesOn).Distinct();

    private TablePolicy[] PoliciesOn(string table) => policies is { } all ? [.. all.Where(policy => policy.Protects(table))] : [];

    private static IEnumerable<string> Rows(ImmutableArray<SqlPart> parts) => parts.SelectMany(part => part switch
    {
        SqlPart.When block => Rows(block.Parts),
        SqlPart.Piece { Token: { Kind: SqlKind.Rows } token } => [token.Name],
        _ => [],
    });

    private static ImmutableArray<int> PowersOfTwo(int atLeast)
    {
        var sizes = ImmutableArray.CreateBuilder<int>();
        for (var size = 1; ; size *= 2)
        {
            sizes.Add(size);
            if (size >= atLeast)
                return sizes.ToImmutable();
        }
    }
}
