/** Values in words. Calendar values (dates, timestamps without zone) are kept in UTC milliseconds and shown as written. */
import { format as numberFormat } from "d3-format";
import { utcFormat } from "d3-time-format";
import { type ColumnType } from "../shared/wire.ts";

/** Writes one value of a column; `null` becomes an en dash. */
export type Formatter = (value: unknown) => string;

export const missing = "–";

const calendarDay = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeZone: "UTC" });
const calendarTime = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "short", timeZone: "UTC" });
const localTime = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "short" });
const wholeNumber = new Intl.NumberFormat(undefined, { maximumFractionDigits: 0 });
const decimalNumber = new Intl.NumberFormat(undefined, { maximumFractionDigits: 2 });

/**
 * Formatter for a column type. `pattern` is a d3 pattern (numbers: d3-format, dates: d3-time-format); a pattern that cannot be
 * read falls back to the locale's form. `zoned` says that a timestamp is an instant and not a wall clock.
 */
export function formatterFor(type: ColumnType, pattern?: string, zoned = false): Formatter {
  const write = writerFor(type, pattern, zoned);
  return (value) => (value === null || value === undefined || Number.isNaN(value) ? missing : write(value));
}

function writerFor(type: ColumnType, pattern: string | undefined, zoned: boolean): Formatter {
  switch (type) {
    case "int":
    case "float": {
      const custom = pattern ? tryPattern(() => numberFormat(pattern)) : undefined;
      const plain = type === "int" ? wholeNumber : decimalNumber;
      return (value) => (typeof value === "number" || typeof value === "bigint" ? (custom?.(Number(value)) ?? plain.format(value)) : String(value));
    }
    case "date":
    case "timestamp": {
      const custom = pattern ? tryPattern(() => utcFormat(pattern)) : undefined;
      const plain = type === "date" ? calendarDay : zoned ? localTime : calendarTime;
      return (value) => {
        const date = new Date(value as number);
        return Number.isNaN(date.getTime()) ? String(value) : (custom?.(date) ?? plain.format(date));
      };
    }
    case "bool":
      return (value) => (value ? "Yes" : "No");
    case "string":
      return String;
  }
}

function tryPattern<T>(make: () => T): T | undefined {
  try {
    return make();
  } catch {
    return undefined;
  }
}
