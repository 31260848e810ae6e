/**
 * The chart runtime, loaded when the first chart is shown.
 *
 * Facts this file stands on:
 * - Vega in AST mode with the interpreter evaluates expressions without `eval` or `Function`; the policy of the page forbids both.
 * - The loader refuses every address, so no spec can fetch, link or show an image, whatever slipped through publishing.
 * - Only the transforms named here exist (those Vega-Lite writes, without maps and regressions, and Vega's own inner ones); a spec that
 *   asks for another fails.
 */
import { transforms } from "vega-dataflow";
import { axisticks, datajoin, encode, legendentries, pie, scale, sortitems, stack } from "vega-encode";
import { expressionInterpreter } from "vega-interpreter";
import { parse } from "vega-parser";
import {
  aggregate, bin, collect, compare, density, expression, extent, facet, field, filter, flatten, fold, formula, generate, impute, joinaggregate,
  kde, key, lookup, multiextent, multivalues, params, pivot, prefacet, project, proxy, quantile, relay, sample, sequence, sieve, subflow,
  timeunit, tupleindex, values, window as windowed,
} from "vega-transforms";
import { type Loader, type Logger, type TooltipHandler, View } from "vega-view";
import { bound, identifier, mark, overlap, render, viewlayout } from "vega-view-transforms";
import { rowsSource } from "./vega-spec.ts";

Object.assign(transforms, {
  aggregate, axisticks, bin, bound, collect, compare, datajoin, density, encode, expression, extent, facet, field, filter, flatten, fold, formula,
  generate, identifier, impute, joinaggregate, kde, key, legendentries, lookup, mark, multiextent, multivalues, overlap, params, pie, pivot,
  prefacet, project, proxy, quantile, relay, render, sample, scale, sequence, sieve, sortitems, stack, subflow, timeunit, tupleindex, values,
  viewlayout, window: windowed,
});

const refuse = () => Promise.reject(new Error("Charts load nothing"));
const loader: Loader = { load: refuse, sanitize: refuse, http: refuse, file: refuse };

/**
 * Vega reports what goes wrong while it evaluates to a logger and goes on; a chart drawn by half is worse than none. Vega calls the
 * methods with a `this` of its own.
 */
function collectFaults(faults: unknown[]): Logger {
  const logger: Logger = {
    level: (level) => (level === undefined ? 1 : logger),
    error: (fault) => (faults.push(fault), logger),
    warn: () => logger,
    info: () => logger,
    debug: () => logger,
  };
  return logger;
}

/** Receives what the pointer is over, as name and text, with the row it stands for; `null` when it left. */
export type TooltipSink = (event: MouseEvent, entries: [string, string][] | null, row: Readonly<Record<string, unknown>>) => void;

/** A drawn chart. */
export interface Chart {
  resize(width: number): Promise<void>;
  dispose(): void;
}

/**
 * Draws `spec` into `container`.
 * @throws Error when the spec cannot be parsed or evaluated.
 */
export async function drawChart(
  container: Element, spec: object, config: object, rows: readonly object[], description: string, width: number | undefined,
  onTooltip: TooltipSink,
): Promise<Chart> {
  const tooltip: TooltipHandler = (_, event, item, value) =>
    onTooltip(event, entriesOf(value), (item as { datum?: Record<string, unknown> } | null)?.datum ?? {});
  const faults: unknown[] = [];
  const view = new View(parse(spec, config, { ast: true }), {
    loader, tooltip, logger: collectFaults(faults), expr: expressionInterpreter, renderer: "svg", hover: true,
  });
  try {
    view.data(rowsSource, rows).initialize(container).description(description);
    if (width !== undefined) view.width(width);
    await view.runAsync();
    if (faults.length > 0) throw faults[0];
  } catch (error) {
    view.finalize();
    throw error;
  }
  return {
    resize: async (pixels) => {
      if (pixels !== view.width()) await view.width(pixels).runAsync();
    },
    dispose: () => void view.finalize(),
  };
}

function entriesOf(value: unknown): [string, string][] | null {
  if (value === null || value === undefined || value === "") return null;
  if (typeof value !== "object") return [["", String(value)]];
  return Object.entries(value).map(([name, entry]) => [name, String(entry)]);
}
