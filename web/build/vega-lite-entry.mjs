// What the gateway needs of Vega-Lite at publish time: `vegaLite.compile(spec).spec`.
export { compile, version } from "vega-lite";
