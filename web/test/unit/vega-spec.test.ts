import { compile } from "vega-lite";
import { describe, expect, test } from "vitest";
import { type Result } from "../../packages/app/src/viewer/result.ts";
import { type ChartColors, chartConfig, prepareSpec } from "../../packages/app/src/viewer/vega-spec.ts";
import { drawChart } from "../../packages/app/src/viewer/vega.ts";

const colors: ChartColors = { ink: "#111", muted: "#555", line: "#ddd", surface: "#fff", series: ["#0b5f78", "#c2571a"] };
const column = (name: string, label: string) => ({ name, label, type: "int" as const, zoned: false, values: [1, 2], format: String });
const result: Result = { rows: 2, columns: [column("x", "Airport"), column("y", "Flights")] };
const lite = (spec: object): Record<string, unknown> => compile({ data: { name: "rows" }, mark: "bar", encoding: { x: { field: "x", type: "nominal" }, y: { field: "y", type: "quantitative" } }, ...spec } as never).spec as never;

describe("prepareSpec", () => {
  test("Spec_WithContainerWidth_FillsItsTile", () => {
    const { spec, fluid } = prepareSpec(lite({ width: "container" }), result, colors);
    expect(fluid).toBe(true);
    expect(spec["autosize"]).toEqual({ type: "fit-x", contains: "padding" });
    expect(JSON.stringify(spec)).not.toContain("containerSize");
  });

  test("Spec_WithStepWidth_KeepsItsOwnWidth", () => expect(prepareSpec(lite({ width: { step: 20 } }), result, colors).fluid).toBe(false));

  test("Spec_WithDefaultColour_TakesTheThemesAndKeepsTheAuthors", () => {
    expect(JSON.stringify(prepareSpec(lite({}), result, colors).spec)).toContain("#0b5f78");
    expect(JSON.stringify(prepareSpec(lite({ mark: { type: "bar", color: "#123456" } }), result, colors).spec)).toContain("#123456");
  });

  test("Titles_ThatAreColumnNames_BecomeLabels", () => {
    const titles = (prepareSpec(lite({}), result, colors).spec["axes"] as { title?: string }[]).map(({ title }) => title).filter(Boolean);
    expect(titles).toEqual(["Airport", "Flights"]);
  });

  test("Spec_ThatLoads_IsRefused", () => {
    const spec = { ...lite({}), data: [{ name: "rows" }, { name: "other", url: "https://elsewhere.example/x.json" }] };
    expect(() => prepareSpec(spec, result, colors)).toThrow(/load/);
  });

  test("Spec_WithoutRows_IsRefused", () => expect(() => prepareSpec({ data: [{ name: "other" }] }, result, colors)).toThrow(/rows/));

  test("Spec_OnAUtcScale_IsKnown", () => {
    expect(prepareSpec(lite({ encoding: { x: { field: "x", type: "temporal", scale: { type: "utc" } } } }), result, colors).utc).toBe(true);
    expect(prepareSpec(lite({ encoding: { x: { field: "x", type: "temporal" } } }), result, colors).utc).toBe(false);
  });

  test("Original_AfterPreparing_IsUntouched", () => {
    const spec = lite({ width: "container" });
    const before = JSON.stringify(spec);
    prepareSpec(spec, result, colors);
    expect(JSON.stringify(spec)).toBe(before);
  });
});

test("DrawChart_UnknownTransform_IsRefused", async () => {
  const spec = { data: [{ name: "rows", transform: [{ type: "elsewhere" }] }] };
  await expect(drawChart({} as Element, spec, chartConfig(colors, "serif"), [], "", 100, () => {})).rejects.toThrow(/elsewhere/);
});
