// A small published workbook and its rows, as the gateway would hand them out.
import { dateDay, float64, int32, int64, tableFromArrays, tableToIPC, utf8 } from "@uwdata/flechette";
import { compile } from "vega-lite";

const vega = (spec) => compile({ data: { name: "rows" }, ...spec }).spec;

export const workbook = {
  id: "flight_delays",
  title: "Flight delays",
  connection: "lakehouse",
  controls: {
    period: { type: "date_range", label: "Period", default: { from: "2001-01-01", to: "2001-07-01" }, min: "2001-01-01", max: "2001-07-01" },
    states: { type: "string", many: true, maxItems: 3, label: "Origin state", options: { query: "states", value: "state" } },
    min_delay: { type: "int", min: -60, max: 1440, default: 15, label: "At least minutes late" },
    grain: { type: "choice", label: "Grain", default: "month", choices: [{ key: "day", label: "Day" }, { key: "week", label: "Week" }, { key: "month", label: "Month" }] },
  },
  queries: {
    states: { columns: { state: { type: "string", label: "State" } } },
    totals: { columns: { flights: { type: "int", label: "Late flights" }, avg_delay: { type: "float", format: ".1f", label: "Average delay" }, share: { type: "float", format: ".1%" } } },
    delays: {
      columns: {
        bucket: { type: "date", label: "Month", format: "%b %Y" },
        state: { type: "string", label: "State" },
        flights: { type: "int", label: "Flights" },
        avg_delay: { type: "float", format: ".1f", label: "Average delay (min)" },
      },
    },
    worst: { columns: { origin: { type: "string", label: "Airport" }, flights: { type: "int", label: "Late flights" } } },
    flights: { columns: { date: { type: "date", label: "Date" }, origin: { type: "string", label: "From" }, destination: { type: "string", label: "To" }, delay: { type: "int", label: "Delay (min)" } } },
    failing: { controls: [], columns: { a: { type: "int" } } },
    cut: { columns: { a: { type: "int" } } },
    nothing: { columns: { a: { type: "int" } } },
    broken: { columns: { a: { type: "int" } } },
    slow: { columns: { a: { type: "int" } } },
  },
  pages: [
    {
      id: "overview", title: "Overview", controls: ["period", "states", "min_delay", "grain"],
      rows: [
        [
          { kind: "value", query: "totals", field: "flights", title: "Late flights" },
          { kind: "value", query: "totals", field: "avg_delay", title: "Average delay (min)" },
          { kind: "value", query: "totals", field: "share", title: "Share of all flights" },
        ],
        [
          {
            kind: "chart", query: "delays", title: "Average delay by month", describe: "Average departure delay in minutes, by month and state of origin.", span: 8,
            spec: vega({
              width: "container", height: 280,
              mark: { type: "line", tooltip: true, point: true },
              encoding: { x: { field: "bucket", type: "temporal" }, y: { field: "avg_delay", type: "quantitative" }, color: { field: "state", type: "nominal" } },
            }),
          },
          {
            kind: "chart", query: "worst", title: "Airports with most late flights", describe: "Late flights of the ten airports that have most.", span: 4,
            spec: vega({
              width: "container", height: 280,
              mark: { type: "bar", tooltip: true },
              encoding: { x: { field: "flights", type: "quantitative" }, y: { field: "origin", type: "nominal", sort: "-x" } },
            }),
          },
        ],
        [{ kind: "table", query: "delays", title: "By month and state", columns: ["bucket", "state", "flights", "avg_delay"], page: 50, export: ["csv"] }],
      ],
    },
    { id: "flights", title: "All flights", controls: ["min_delay"], rows: [[{ kind: "table", query: "flights", title: "Flights", columns: ["date", "origin", "destination", "delay"], page: 40 }]] },
    {
      id: "trouble", title: "Trouble", controls: [],
      rows: [[
        { kind: "value", query: "failing", field: "a", title: "Failing" },
        { kind: "value", query: "cut", field: "a", title: "Cut off" },
        { kind: "table", query: "nothing", title: "Empty", columns: ["a"], page: 50 },
      ], [
        // Evaluates to an error, and one that would like to lead elsewhere.
        { kind: "chart", query: "broken", title: "Broken chart", describe: "A chart whose spec fails.", spec: { data: [{ name: "rows", transform: [{ type: "formula", expr: "datum.a.b.c", as: "d" }] }], marks: [] } },
        {
          kind: "chart", query: "broken", title: "Linking chart", describe: "A chart whose mark is a link.",
          spec: {
            width: 100, height: 60, data: [{ name: "rows" }],
            marks: [{ type: "rect", aria: false, from: { data: "rows" }, encode: { enter: { width: { value: 20 }, height: { value: 20 }, fill: { value: "#123456" }, href: { value: "https://elsewhere.example/" } } } }],
          },
        },
      ]],
    },
    { id: "slow", title: "Slow", controls: ["min_delay"], rows: [[{ kind: "value", query: "slow", field: "a", title: "Slow" }]] },
  ],
};

const months = ["2001-01-01", "2001-02-01", "2001-03-01", "2001-04-01", "2001-05-01", "2001-06-01"].map((day) => new Date(`${day}T00:00:00Z`));
const pairs = months.flatMap((month, index) => ["CA", "NV", "OR"].map((state, at) => ({ month, state, flights: 4200 - 900 * at + 130 * index, delay: 31 + 6 * Math.sin(index + at * 1.3) + at })));

const tables = {
  states: () => [{ state: ["AZ", "CA", "CO", "FL", "GA", "IL", "NV", "NY", "OR", "TX", "WA"] }, { state: utf8() }],
  totals: () => [{ flights: [65_812], avg_delay: [34.27], share: [0.1846] }, { flights: int64(), avg_delay: float64(), share: float64() }],
  delays: () => [
    { bucket: pairs.map(({ month }) => month), state: pairs.map(({ state }) => state), flights: pairs.map(({ flights }) => flights), avg_delay: pairs.map(({ delay }) => delay) },
    { bucket: dateDay(), state: utf8(), flights: int32(), avg_delay: float64() },
  ],
  worst: () => [
    { origin: ["LAX", "SFO", "SAN", "OAK", "SJC", "SMF", "ONT", "BUR", "SNA", "PSP"], flights: [18230, 15410, 7120, 6930, 6510, 4100, 3500, 3120, 2210, 480] },
    { origin: utf8(), flights: int32() },
  ],
  flights: () => {
    const count = 5000;
    const ports = ["LAX", "SFO", "SAN", "OAK", "JFK", "ORD"];
    return [
      {
        date: Array.from({ length: count }, (_, i) => new Date(Date.UTC(2001, 0, 1 + (i % 180)))),
        origin: Array.from({ length: count }, (_, i) => ports[i % 4]),
        destination: Array.from({ length: count }, (_, i) => ports[(i + 3) % 6]),
        delay: Array.from({ length: count }, (_, i) => (i * 37) % 240),
      },
      { date: dateDay(), origin: utf8(), destination: utf8(), delay: int32() },
    ];
  },
  nothing: () => [{ a: [] }, { a: int32() }],
  failing: () => [{ a: [1] }, { a: int32() }],
  broken: () => [{ a: [1] }, { a: int32() }],
  cut: () => [{ a: [1] }, { a: int32() }],
  slow: () => [{ a: [1] }, { a: int32() }],
};

/** Arrow stream of a query's rows. */
export function arrowOf(query) {
  const [columns, types] = tables[query]();
  return tableToIPC(tableFromArrays(columns, { types }), { format: "stream" });
}

export const scopes = [
  { name: "sql", reaches: "Run SQL queries on SQL warehouses as you" },
  { name: "offline_access", reaches: "Stay connected when you are away, until you revoke it" },
];
