// Stands for parts of Vega that Postern's charts never use: maps (d3-geo), text formats (rows arrive as columns), renderers other
// than SVG. Using one is a fault of the spec and says so.
const absent = (name) => class {
  constructor() {
    throw new Error(`Charts here have no ${name}`);
  }
};
const refuse = (name) => () => {
  throw new Error(`Charts here have no ${name}`);
};

export const geoArea = refuse("geoArea");
export const geoBounds = refuse("geoBounds");
export const geoCentroid = refuse("geoCentroid");
export const feature = refuse("topojson");
export const mesh = refuse("topojson");
export const dsvFormat = refuse("delimited text");

/** Renderers and handlers of vega-scenegraph, each the default export of its module. */
export default absent("renderer but SVG");
export const setHybridRendererOptions = refuse("hybrid renderer");
