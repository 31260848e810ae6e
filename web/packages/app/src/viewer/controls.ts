/** Values of controls: defaults, checks and what is sent. Dates are calendar dates, `YYYY-MM-DD`. */
import { type Control, type ControlValue, type DateRange, type Query } from "../shared/wire.ts";
import { type ControlValues } from "./query-fetch.ts";

const day = 86_400_000;

/** The value a control starts with; `today` is a calendar date. */
export function initialValue(control: Control, today: string): ControlValue {
  switch (control.type) {
    case "date_range":
      if (control.default && "last" in control.default) return lastRange(control.default.last, today);
      return control.default ?? undefined;
    case "int":
      return control.default ?? undefined;
    case "choice":
      return control.default ?? control.choices[0]?.key;
    case "string":
      if (control.many) return typeof control.default === "string" ? [control.default] : (control.default ?? []);
      return control.default ?? undefined;
  }
}

/** Initial values of every control. */
export function initialValues(controls: Record<string, Control>, today: string): ControlValues {
  return Object.fromEntries(Object.entries(controls).map(([id, control]) => [id, initialValue(control, today)]));
}

/** `90d`, `12w`, `6m` or `1y` up to and including today. */
function lastRange(last: string, today: string): DateRange | undefined {
  const match = /^(\d{1,4})([dwmy])$/.exec(last);
  if (!match) return undefined;
  const count = Number(match[1]);
  const to = addDays(today, 1);
  const from = new Date(`${to}T00:00:00Z`);
  if (match[2] === "d") from.setUTCDate(from.getUTCDate() - count);
  else if (match[2] === "w") from.setUTCDate(from.getUTCDate() - 7 * count);
  else if (match[2] === "m") from.setUTCMonth(from.getUTCMonth() - count);
  else from.setUTCFullYear(from.getUTCFullYear() - count);
  return { from: isoDate(from), to };
}

/** The calendar date `days` later. */
export function addDays(date: string, days: number): string {
  return isoDate(new Date(Date.parse(`${date}T00:00:00Z`) + days * day));
}

function isoDate(date: Date): string {
  return date.toISOString().slice(0, 10);
}

/** People name the last day they want; the wire names the first day they do not. */
export function rangeFromDays(first: string, last: string): DateRange {
  return { from: first, to: addDays(last, 1) };
}

/** Last day within a range. */
export function lastDay(range: DateRange): string {
  return addDays(range.to, -1);
}

/** What is wrong with a value, in words; `undefined` when it may be sent. */
export function fault(control: Control, value: ControlValue): string | undefined {
  switch (control.type) {
    case "date_range": {
      if (value === undefined) return undefined;
      const { from, to } = value as DateRange;
      if (!isDate(from) || !isDate(to)) return "Enter both days.";
      if (from >= to) return "The first day must not be after the last.";
      if (control.min && from < control.min) return `Choose a day from ${control.min} on.`;
      if (control.max && lastDay({ from, to }) > control.max) return `Choose a day up to ${control.max}.`;
      return undefined;
    }
    case "int":
      if (value === undefined) return undefined;
      if (!Number.isInteger(value)) return "Enter a whole number.";
      if (control.min != null && (value as number) < control.min) return `Enter ${control.min} or more.`;
      if (control.max != null && (value as number) > control.max) return `Enter ${control.max} or less.`;
      return undefined;
    case "choice":
      return control.choices.some(({ key }) => key === value) ? undefined : "Choose one.";
    case "string":
      if (Array.isArray(value) && control.maxItems != null && value.length > control.maxItems) {
        return `Choose at most ${control.maxItems}.`;
      }
      return undefined;
  }
}

function isDate(text: string): boolean {
  return /^\d{4}-\d{2}-\d{2}$/.test(text) && !Number.isNaN(Date.parse(text));
}

/** The values a query is sent: those it reads, else those of its page; what is empty is left out and so not applied. */
export function valuesFor(query: Query | undefined, pageControls: readonly string[], values: ControlValues): ControlValues {
  const sent: ControlValues = {};
  for (const id of query?.controls ?? pageControls) {
    const value = values[id];
    if (value === undefined || value === "" || (Array.isArray(value) && value.length === 0)) continue;
    sent[id] = value;
  }
  return sent;
}
