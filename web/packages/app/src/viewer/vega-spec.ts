/**
 * A published Vega spec made ready for its tile: data by name only, width from the tile, colours from the theme, labels from the
 * contract. The spec was checked when it was published; what concerns safety is checked again here, because this is where it runs.
 */
import { type Result } from "./result.ts";

type Json = Record<string, unknown>;

/** Colours of a theme, resolved. */
export interface ChartColors {
  ink: string;
  muted: string;
  line: string;
  surface: string;
  series: string[];
}

/** Name of the data source that the rows fill. */
export const rowsSource = "rows";

/** Mark colour Vega-Lite writes when an author chooses none; it stands for "the first colour of the theme". */
const defaultMark = "#4c78a8";

export interface PreparedSpec {
  spec: Json;
  /** The spec takes whatever width the tile has. */
  fluid: boolean;
  /** The spec lays time out in UTC, so rows must not be moved to local time. */
  utc: boolean;
}

/**
 * Copies and adapts `spec`.
 * @throws Error when a data source would be loaded from an address, or the source named `rows` is missing.
 */
export function prepareSpec(spec: Json, result: Result, colors: ChartColors): PreparedSpec {
  const copy = structuredClone(spec);
  checkData(copy);
  const fluid = makeFluid(copy);
  const labels = new Map(result.columns.map(({ name, label }) => [name, label]));
  delete copy["background"];
  walk(copy, (node) => {
    for (const channel of ["fill", "stroke", "color"]) {
      const encoding = node[channel] as Json | undefined;
      if (encoding?.["value"] === defaultMark) encoding["value"] = colors.series[0];
    }
  });
  for (const kind of ["axes", "legends"]) relabel(copy, kind, labels);
  return { spec: copy, fluid, utc: /"type":"utc"|\butc[A-Z]\w*\(/.test(JSON.stringify(spec)) };
}

function checkData(spec: Json): void {
  let found = false;
  walk(spec, (node) => {
    if ("url" in node) throw new Error("A chart may not load anything");
    if (node["name"] === rowsSource && !("source" in node)) found = true;
  });
  if (!found) throw new Error(`The chart has no data source named ${rowsSource}`);
}

/** Replaces a fixed or container width with "as wide as the tile", unless the width follows from the data (a step per band). */
function makeFluid(spec: Json): boolean {
  const signals = (spec["signals"] as Json[] | undefined) ?? [];
  const follows = (name: string) => signals.some((signal) => signal["name"] === name && !JSON.stringify(signal).includes("containerSize"));
  if (follows("width") || "layout" in spec) return false;
  spec["signals"] = signals.filter((signal) => signal["name"] !== "width" && (signal["name"] !== "height" || follows("height")));
  if (!follows("height") && typeof spec["height"] !== "number") spec["height"] = 260;
  spec["width"] = 300;
  spec["autosize"] = { type: "fit-x", contains: "padding" };
  return true;
}

/** Titles that are bare column names become the labels people know. */
function relabel(spec: Json, kind: string, labels: ReadonlyMap<string, string>): void {
  walk(spec, (node) => {
    const guides = node[kind];
    if (!Array.isArray(guides)) return;
    for (const guide of guides as Json[]) {
      const title = guide["title"];
      if (typeof title === "string") guide["title"] = labels.get(title) ?? title;
    }
  });
}

function walk(value: unknown, visit: (node: Json) => void): void {
  if (typeof value !== "object" || value === null) return;
  if (!Array.isArray(value)) visit(value as Json);
  for (const child of Object.values(value)) walk(child, visit);
}

/** Vega configuration of a theme; a spec's own configuration goes before it. */
export function chartConfig(colors: ChartColors, font: string): Json {
  const text = { labelColor: colors.muted, titleColor: colors.muted, labelFont: font, titleFont: font, labelFontSize: 12, titleFontSize: 12, titleFontWeight: 500 };
  return {
    background: "transparent",
    font,
    padding: { left: 2, right: 8, top: 6, bottom: 2 },
    range: { category: colors.series, ordinal: colors.series },
    axis: {
      ...text, domainColor: colors.line, tickColor: colors.line, gridColor: colors.line, gridOpacity: 0.9,
      tickSize: 4, labelPadding: 6, titlePadding: 10,
    },
    axisBand: { grid: false },
    legend: { ...text, symbolType: "circle", symbolSize: 70, orient: "top", rowPadding: 4, columnPadding: 14, labelLimit: 140 },
    title: { color: colors.ink, font, fontSize: 13, subtitleColor: colors.muted },
    line: { strokeWidth: 2 },
    text: { fill: colors.ink, font },
    group: { stroke: null },
    style: { cell: { stroke: "transparent" } },
  };
}
