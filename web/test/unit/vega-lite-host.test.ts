import { readFileSync } from "node:fs";
import { runInNewContext } from "node:vm";
import { expect, test } from "vitest";

// The gateway's engine has the language and nothing of a browser or of Node; a bare context is the same. Built by `npm run build`.
test("VegaLiteBundle_InABareContextWithTwoStubs_Compiles", () => {
  const bundle = readFileSync(new URL("../../dist/vega-lite.iife.js", import.meta.url), "utf8");
  const spec = { data: { name: "rows" }, mark: "line", encoding: { x: { field: "bucket", type: "temporal" }, y: { field: "n", type: "quantitative" } } };
  const stubs = "var console = { log() {}, warn() {}, error() {}, info() {}, debug() {} }; var structuredClone = (value) => value === undefined ? undefined : JSON.parse(JSON.stringify(value));";
  const text = runInNewContext(`${stubs}${bundle}; JSON.stringify(vegaLite.compile(${JSON.stringify(spec)}).spec)`) as string;
  const vega = JSON.parse(text) as { data: { name: string }[]; marks: { type: string }[] };
  expect(vega.data[0]!.name).toBe("rows");
  expect(vega.marks[0]!.type).toBe("line");
});
