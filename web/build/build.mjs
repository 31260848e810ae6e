// Builds everything Postern serves into dist/, then checks the size budget.
//
// Four builds, because two outputs have names other people's pages depend on and must stand alone (embed.js is loaded from other
// origins, connect-result.js by a page without a manifest), and one (vega-lite.iife.js) runs in the gateway and not in a browser.
import { existsSync } from "node:fs";
import { readFile, rm, writeFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { build } from "vite";
import { checkBudget } from "./budget.mjs";

const root = fileURLToPath(new URL("..", import.meta.url));
/**
 * Reads Vega from its sources instead of its one-file bundles, so that unused parts can be left out at all, and leaves
 * out what their packages import and our charts never use; see absent.mjs. A name that no longer matches after an update costs
 * bytes and nothing else, and the budget notices.
 * @returns {import("vite").Plugin}
 */
const leanVega = () => ({
  name: "lean-vega",
  enforce: "pre",
  resolveId: {
    filter: { id: /^(vega-[a-z-]+|d3-geo|d3-dsv|topojson-client)$|\/(CanvasRenderer|SVGStringRenderer|HybridRenderer|HybridHandler)\.js$/ },
    handler(id, importer) {
      if (/^(d3-geo|topojson-client|d3-dsv)$/.test(id)) return `${root}build/absent.mjs`;
      if (id.startsWith(".")) return /[\\/]vega-scenegraph[\\/]/.test(importer ?? "") ? `${root}build/absent.mjs` : null;
      if (id === "vega-loader" || id === "vega-canvas") return null; // Their sources are for Node; the browser has bundles of its own.
      const source = `${root}node_modules/${id}/index.js`;
      return existsSync(source) ? source : null;
    },
  },
  transform: {
    // Its fifty colour ramps are computed at load and not marked as free of side effects, so none could be left out.
    filter: { id: /d3-scale-chromatic/ },
    handler: (code) => ({ code: code.replace(/^(var \S+ = )(?=[\w$ ().]+\()/gm, "$1/*#__PURE__*/ "), map: null }),
  },
});

const entries = { viewer: "viewer", connect: "connect", portal: "portal" };

/** @param {import("vite").InlineConfig} config */
const common = (config) => ({
  root,
  configFile: false,
  logLevel: "warn",
  ...config,
  build: { outDir: "dist", emptyOutDir: false, target: "es2022", reportCompressedSize: false, ...config.build },
});

/** One self-contained file under a stable name. */
const single = (entry, file, format, extra = {}) =>
  build(common({
    build: {
      lib: { entry, formats: [format], fileName: () => file, name: "vegaLite", ...extra },
      rollupOptions: { output: { codeSplitting: false } },
      minify: true,
    },
  }));

await rm(new URL("../dist", import.meta.url), { recursive: true, force: true });

await build(common({
  base: "/",
  plugins: [leanVega()],
  build: {
    manifest: "manifest.json",
    assetsDir: "assets",
    // The shells load modules by <script type="module">; every browser that runs this code knows modulepreload.
    modulePreload: { polyfill: false },
    rollupOptions: {
      // No module of Vega is imported for its effects alone.
      treeshake: { moduleSideEffects: [{ test: /[\\/]vega-[a-z-]+[\\/]/, sideEffects: false }] },
      input: Object.fromEntries(Object.entries(entries).map(([name, folder]) => [name, `${root}packages/app/src/${folder}/index.ts`])),
    },
  },
}));
await single(`${root}packages/embed/src/index.ts`, "assets/embed.js", "es");
await single(`${root}packages/app/src/result/connect-result.ts`, "assets/connect-result.js", "es");
await single(`${root}build/vega-lite-entry.mjs`, "vega-lite.iife.js", "iife");

await nameEntries();
await checkBudget(new URL("../dist/", import.meta.url));

/**
 * Puts each page's entry under its own name too, with all style sheets and preloads it needs, so that the gateway need not know
 * source paths nor follow imports.
 */
async function nameEntries() {
  const file = new URL("../dist/manifest.json", import.meta.url);
  const manifest = JSON.parse(await readFile(file, "utf8"));
  for (const chunk of Object.values(manifest)) {
    if (!chunk.isEntry || !(chunk.name in entries)) continue;
    const needed = [...reached(manifest, chunk)];
    manifest[chunk.name] = {
      ...chunk,
      css: [...new Set(needed.flatMap(({ css }) => css ?? []))],
      preload: needed.filter((other) => other !== chunk).map(({ file }) => file),
    };
  }
  await writeFile(file, `${JSON.stringify(manifest, null, 2)}\n`);
}

/** A chunk and what it imports statically. */
function reached(manifest, chunk, seen = new Set()) {
  if (seen.has(chunk)) return seen;
  seen.add(chunk);
  for (const key of chunk.imports ?? []) reached(manifest, manifest[key], seen);
  return seen;
}
