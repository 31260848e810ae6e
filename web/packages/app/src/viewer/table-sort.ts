/** Order of a table's rows. Rows are named by index, so sorting moves no data. */
import { type Result, columnNamed } from "./result.ts";

export interface SortOrder {
  column: string;
  descending: boolean;
}

/** Row indices in order; missing values come last in both directions, equal ones keep their place. */
export function sortedRows(result: Result, order: SortOrder | undefined): Uint32Array {
  const rows = Uint32Array.from({ length: result.rows }, (_, index) => index);
  const column = order && columnNamed(result, order.column);
  if (!column) return rows;
  const { values } = column;
  const sign = order.descending ? -1 : 1;
  const text = new Intl.Collator(undefined, { numeric: true });
  return rows.sort((a, b) => {
    const x = values[a];
    const y = values[b];
    const missing = Number(isMissing(x)) - Number(isMissing(y));
    if (missing !== 0 || isMissing(x)) return missing || a - b;
    const compared = typeof x === "string" ? text.compare(x, y as string) : Number((x as number) > (y as number)) - Number((x as number) < (y as number));
    return sign * compared || a - b;
  });
}

function isMissing(value: unknown): boolean {
  return value === null || value === undefined || Number.isNaN(value);
}
