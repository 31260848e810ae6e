import { describe, expect, test } from "vitest";
import { calendarMoment, columnRows, wallClock } from "../../packages/app/src/viewer/column-rows.ts";
import { formatterFor, missing } from "../../packages/app/src/viewer/format.ts";
import { type Result, toResult } from "../../packages/app/src/viewer/result.ts";
import { sortedRows } from "../../packages/app/src/viewer/table-sort.ts";

const query = { columns: { day: { type: "date" as const }, state: { type: "string" as const, label: "State" }, avg_delay: { type: "float" as const, format: ".1f" } } };
const table = {
  rows: 3,
  columns: [
    { name: "avg_delay", values: [2.25, null, 1.5], zoned: false },
    { name: "state", values: ["NV", "CA", "OR"], zoned: false },
    { name: "day", values: [Date.UTC(2001, 0, 1), Date.UTC(2001, 1, 1), null], zoned: false },
  ],
};
const result = (): Result => toResult(table, query, "q-1");

describe("toResult", () => {
  test("Columns_InAnyOrder_FollowTheContract", () => {
    expect(result().columns.map(({ name, label }) => [name, label])).toEqual([["day", "Day"], ["state", "State"], ["avg_delay", "Avg delay"]]);
  });

  test("Column_Missing_IsAnError", () => expect(() => toResult({ rows: 0, columns: [] }, query)).toThrow(/day/));
});

describe("columnRows", () => {
  test("Rows_Read_ComeFromTheColumnsAndHoldNoCopies", () => {
    const rows = columnRows(result(), false) as Record<string, unknown>[];
    expect(rows[1]!["state"]).toBe("CA");
    expect(Object.keys(rows[1]!)).toEqual([]);
  });

  test("Rows_Enumerated_ShowEveryColumnAndNothingElse", () => {
    const seen: string[] = [];
    for (const name in columnRows(result(), false)[0]) seen.push(name);
    expect(seen.sort()).toEqual(["avg_delay", "day", "state"]);
  });

  test("Row_WrittenTo_KeepsItsOwnValueAndLeavesOthers", () => {
    const rows = columnRows(result(), false) as Record<string, unknown>[];
    rows[0]!["state"] = "written";
    expect(rows.map((row) => row["state"])).toEqual(["written", "CA", "OR"]);
  });

  test("Column_NamedLikeAPrototypeMember_IsOnlyAColumn", () => {
    const odd = toResult({ rows: 1, columns: [{ name: "__proto__", values: ["x"], zoned: false }] }, { columns: { ["__proto__"]: { type: "string" } } });
    expect(columnRows(odd, false).length).toBe(1);
    expect(({} as Record<string, unknown>)["x"]).toBeUndefined();
  });

  test("Date_WestOfGreenwich_StaysTheSameDay", () => {
    expect(new Date().getTimezoneOffset()).toBeGreaterThan(0);
    const [first] = columnRows(result(), true) as Record<string, unknown>[];
    expect(new Date(first!["day"] as number).toString()).toMatch(/^Mon Jan 01 2001 00:00/);
  });

  test("WallClock_ThereAndBack_IsTheSame", () => {
    for (const utc of [Date.UTC(2001, 0, 1), Date.UTC(2001, 6, 1, 13, 5, 7, 9), Date.UTC(99, 0, 1)]) expect(calendarMoment(wallClock(utc))).toBe(utc);
  });
});

describe("sortedRows", () => {
  test("Descending_WithMissingValues_PutsThemLast", () => expect([...sortedRows(result(), { column: "avg_delay", descending: true })]).toEqual([0, 2, 1]));
  test("Ascending_WithMissingValues_PutsThemLast", () => expect([...sortedRows(result(), { column: "avg_delay", descending: false })]).toEqual([2, 0, 1]));
  test("NoOrder_KeepsTheServersOrder", () => expect([...sortedRows(result(), undefined)]).toEqual([0, 1, 2]));
});

describe("formatterFor", () => {
  test("Null_AnyType_IsADash", () => expect(formatterFor("float", ".1f")(null)).toBe(missing));
  test("Number_WithPattern_FollowsIt", () => expect(formatterFor("float", ".1%")(0.1846)).toBe("18.5%"));
  test("Pattern_Unreadable_FallsBack", () => expect(formatterFor("int", "nonsense pattern")(1200)).toBe("1,200"));
  test("Integer_Beyond53Bits_KeepsEveryDigit", () => expect(formatterFor("int")(2n ** 60n)).toBe("1,152,921,504,606,846,976"));
  test("Date_WestOfGreenwich_IsTheDayWritten", () => expect(formatterFor("date", "%Y-%m-%d")(Date.UTC(2001, 0, 1))).toBe("2001-01-01"));
});
