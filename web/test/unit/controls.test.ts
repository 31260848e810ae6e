import { describe, expect, test } from "vitest";
import { type Control } from "../../packages/app/src/shared/wire.ts";
import { fault, initialValue, lastDay, rangeFromDays, valuesFor } from "../../packages/app/src/viewer/controls.ts";
import { spansOf } from "../../packages/app/src/viewer/layout.ts";

const period: Control = { type: "date_range", label: "Period", min: "2001-01-01", max: "2001-06-30" };

describe("controls", () => {
  test.each([
    ["90d", "2001-04-01", "2001-06-30"],
    ["2w", "2001-06-16", "2001-06-30"],
    ["1m", "2001-05-30", "2001-06-30"],
    ["1y", "2000-06-30", "2001-06-30"],
  ])("DefaultRange_Last%s_EndsAfterToday", (last, from, to) => {
    expect(initialValue({ ...period, default: { last } } as Control, "2001-06-29")).toEqual({ from, to });
  });

  test("Range_LastDayChosen_IsSentAsTheDayAfter", () => {
    const range = rangeFromDays("2001-02-27", "2001-02-28");
    expect(range).toEqual({ from: "2001-02-27", to: "2001-03-01" });
    expect(lastDay(range)).toBe("2001-02-28");
  });

  test.each([
    ["backwards", { from: "2001-02-02", to: "2001-02-02" }, /must not be after/],
    ["half", { from: "", to: "2001-02-02" }, /both/],
    ["too early", { from: "2000-12-31", to: "2001-02-02" }, /from 2001-01-01/],
    ["too late", { from: "2001-02-02", to: "2001-07-02" }, /up to 2001-06-30/],
  ])("Range_%s_IsRefused", (_, value, text) => expect(fault(period, value)).toMatch(text));

  test("Range_OfTheLastDayAllowedAlone_IsFine", () => expect(fault(period, rangeFromDays("2001-06-30", "2001-06-30"))).toBeUndefined());

  test("Range_UpToTheLastDayAllowed_IsFine", () => expect(fault(period, { from: "2001-01-01", to: "2001-07-01" })).toBeUndefined());

  test.each([[Number.NaN], [1.5], [-61], [1441]])("Number_%s_IsRefused", (value) => {
    expect(fault({ type: "int", label: "Late", min: -60, max: 1440 }, value)).toBeDefined();
  });

  test("Number_WithoutBounds_HasNone", () => expect(fault({ type: "int", label: "Late", min: null, max: null }, 15)).toBeUndefined());

  test("Choice_Unknown_IsRefused", () => expect(fault({ type: "choice", label: "Grain", choices: [{ key: "day", label: "Day" }] }, "week")).toBeDefined());

  test("Values_Empty_AreLeftOut", () => {
    expect(valuesFor(undefined, ["a", "b", "c", "d"], { a: [], b: "", c: undefined, d: 0, e: 1 })).toEqual({ d: 0 });
  });

  test("Values_QueryThatNamesItsControls_GetsThoseAlone", () => expect(valuesFor({ columns: {}, controls: ["e"] }, ["d"], { d: 0, e: 1 })).toEqual({ e: 1 }));

  test("Spans_Unnamed_ShareWhatIsLeft", () => {
    expect(spansOf([{}, { span: 9 }])).toEqual([3, 9]);
    expect(spansOf([{}, {}, {}])).toEqual([4, 4, 4]);
    expect(spansOf([{ span: 12 }, {}])).toEqual([12, 2]);
  });
});
