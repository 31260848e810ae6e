/**
 * Rows for Vega over columns, without copying a cell: a row is an index and a prototype whose getters read the columns.
 * Vega marks each row with its tuple id, so rows are objects of their own; values it derives in place become own properties.
 */
import { type Result, type ResultColumn } from "./result.ts";

const at = Symbol("row");

interface Row {
  [at]: number;
}

/**
 * One object per row of `result`. With `wallClock`, calendar values are moved from UTC to the browser's zone, because Vega's time
 * scales and formats work in local time: the first of January must not become the last of December west of Greenwich.
 */
export function columnRows(result: Result, wallClock: boolean): object[] {
  const prototype = Object.create(null) as object;
  for (const column of result.columns) {
    const values = wallClock ? wallClockValues(column) : column.values;
    Object.defineProperty(prototype, column.name, {
      enumerable: true,
      get(this: Row): unknown {
        return values[this[at]];
      },
      set(this: Row, value: unknown) {
        Object.defineProperty(this, column.name, { value, writable: true, enumerable: true, configurable: true });
      },
    });
  }
  const rows = new Array<object>(result.rows);
  for (let index = 0; index < result.rows; index++) {
    const row = Object.create(prototype) as Row;
    row[at] = index; // A symbol: `for … in`, which Vega derives rows with, passes over it.
    rows[index] = row;
  }
  return rows;
}

function wallClockValues(column: ResultColumn): ArrayLike<unknown> {
  const calendar = column.type === "date" || (column.type === "timestamp" && !column.zoned);
  return calendar ? Array.from(column.values, (value) => (typeof value === "number" ? wallClock(value) : value)) : column.values;
}

/** The local moment that reads on a clock what `utc` reads in UTC, in milliseconds. */
export function wallClock(utc: number): number {
  const d = new Date(utc);
  const local = new Date(0);
  local.setFullYear(d.getUTCFullYear(), d.getUTCMonth(), d.getUTCDate());
  local.setHours(d.getUTCHours(), d.getUTCMinutes(), d.getUTCSeconds(), d.getUTCMilliseconds());
  return local.getTime();
}
