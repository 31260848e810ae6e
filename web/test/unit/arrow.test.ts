import { dateDay, float64, int64, tableFromArrays, tableToIPC, timestamp, utf8 } from "@uwdata/flechette";
import { describe, expect, test } from "vitest";
import { decodeStream, isWholeStream } from "../../packages/app/src/viewer/arrow.ts";

const stream = (): Uint8Array => tableToIPC(
  tableFromArrays(
    { day: [new Date("2001-02-01T00:00:00Z"), null], name: ["LAX", "SFO"], flights: [3n, 2n ** 60n], delay: [1.5, null], at: [new Date("2001-02-01T10:00:00Z"), null] },
    { types: { day: dateDay(), name: utf8(), flights: int64(), delay: float64(), at: timestamp(1, "UTC") } },
  ), { format: "stream" })!;

describe("isWholeStream", () => {
  test("Stream_Whole_IsAccepted", () => expect(isWholeStream(stream())).toBe(true));

  test("Stream_CutAtAnyByte_IsRefused", () => {
    const bytes = stream();
    for (let length = 0; length < bytes.length; length++) expect(isWholeStream(bytes.subarray(0, length)), `${length}`).toBe(false);
  });

  test("Stream_WithBytesAfterItsEnd_IsRefused", () => expect(isWholeStream(new Uint8Array([...stream(), 0]))).toBe(false));

  test("Stream_EndMarkerInsideABody_IsNoEnd", () => {
    // The last eight bytes of the body look like an end marker; only walking the messages tells them apart.
    const marker = new Uint8Array([255, 255, 255, 255, 0, 0, 0, 0]);
    const value = new DataView(marker.buffer).getBigInt64(0, true);
    const bytes = tableToIPC(tableFromArrays({ n: [value] }, { types: { n: int64() } }), { format: "stream" })!;
    const cut = bytes.subarray(0, bytes.length - 8);
    expect([...cut.subarray(-8)]).toEqual([...marker]);
    expect(isWholeStream(cut)).toBe(false);
  });

  test("Bytes_OfAProblemDocument_AreRefused", () => expect(isWholeStream(new TextEncoder().encode('{"type":"urn:postern:query-failed"}'))).toBe(false));
});

test("DecodeStream_EveryType_GivesPlainValues", () => {
  const { columns, rows } = decodeStream(stream());
  const values = Object.fromEntries(columns.map(({ name, values }) => [name, Array.from(values)]));
  expect(rows).toBe(2);
  expect(values["day"]).toEqual([Date.UTC(2001, 1, 1), null]);
  expect(values["name"]).toEqual(["LAX", "SFO"]);
  expect(values["flights"], "beyond 2^53 a number would lie").toEqual([3, 2n ** 60n]);
  expect(values["delay"]).toEqual([1.5, null]);
  expect(columns.find(({ name }) => name === "at")?.zoned).toBe(true);
  expect(columns.find(({ name }) => name === "day")?.zoned).toBe(false);
});
