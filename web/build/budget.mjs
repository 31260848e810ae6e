// The viewer's JavaScript, all chunks it can ever load, stays within its budget, as gzip.
import { readFile } from "node:fs/promises";
import { gzipSync } from "node:zlib";

/** Kilobytes (1000 bytes), gzip -9. */
const budgets = { viewer: 180, connect: 25, portal: 30 };

/** Files an entry can load: its own, what it imports, and what it imports later. */
function filesOf(manifest, key, seen = new Set()) {
  const chunk = manifest[key];
  if (seen.has(chunk.file)) return seen;
  seen.add(chunk.file);
  for (const next of [...(chunk.imports ?? []), ...(chunk.dynamicImports ?? [])]) filesOf(manifest, next, seen);
  return seen;
}

/** Prints each entry's size and throws when one is over. `dist` is a file URL that ends with a slash. */
export async function checkBudget(dist) {
  const manifest = JSON.parse(await readFile(new URL("manifest.json", dist), "utf8"));
  const over = [];
  for (const [name, budget] of Object.entries(budgets)) {
    let bytes = 0;
    for (const file of filesOf(manifest, name)) bytes += gzipSync(await readFile(new URL(file, dist)), { level: 9 }).length;
    const size = bytes / 1000;
    console.log(`${name.padEnd(8)} ${size.toFixed(1).padStart(6)} KB gzip of ${budget}`);
    if (size > budget) over.push(name);
  }
  if (over.length > 0) throw new Error(`Over the size budget: ${over.join(", ")}`);
}
