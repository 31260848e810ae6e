/**
 * Arrow IPC streams: checked for their end, then decoded to columns.
 *
 * Facts this file stands on:
 * - A message is `FF FF FF FF`, an int32 metadata size, the metadata (a flatbuffer, padded), then a body of the size the metadata names.
 * - A metadata size of zero is the end-of-stream marker. Postern leaves it out when a query failed after its first row, so a stream
 *   without it is an error and never a short result (Arrow columnar format, "IPC Streaming Format").
 */
import { type Column, type DataType, Type, tableFromIPC } from "@uwdata/flechette";

/** A decoded column. Dates and timestamps are milliseconds since the epoch, UTC. */
export interface DecodedColumn {
  name: string;
  values: ArrayLike<unknown>;
  /** A timestamp with a zone: an instant. Without: a wall clock, to be shown as written. */
  zoned: boolean;
}

export interface DecodedTable {
  columns: DecodedColumn[];
  rows: number;
}

const continuation = 0xffffffff;

/** True when the bytes hold whole messages up to and including the end-of-stream marker, and nothing after it. */
export function isWholeStream(bytes: Uint8Array): boolean {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  for (let at = 0; at + 8 <= bytes.length; ) {
    if (view.getUint32(at, true) !== continuation) return false;
    const metadata = view.getInt32(at + 4, true);
    at += 8;
    if (metadata === 0) return at === bytes.length;
    if (metadata < 0 || at + metadata > bytes.length) return false;
    const body = bodyLength(view, at);
    if (body < 0) return false;
    at += metadata + body;
  }
  return false;
}

/** `Message.bodyLength` (flatbuffer field 3), or -1 when the metadata makes no sense. */
function bodyLength(view: DataView, metadata: number): number {
  try {
    const table = metadata + view.getInt32(metadata, true);
    const vtable = table - view.getInt32(table, true);
    const offset = view.getUint16(vtable, true) > 10 ? view.getUint16(vtable + 10, true) : 0;
    if (offset === 0) return 0;
    const length = view.getBigInt64(table + offset, true);
    return length >= 0n && length <= BigInt(Number.MAX_SAFE_INTEGER) ? Number(length) : -1;
  } catch {
    return -1;
  }
}

/**
 * Decodes a whole stream.
 * @throws Error when the bytes are no Arrow stream; check {@link isWholeStream} first.
 */
export function decodeStream(bytes: Uint8Array): DecodedTable {
  const table = tableFromIPC(bytes, { useBigInt: true });
  const columns = table.schema.fields.map((field, index) => ({
    name: field.name,
    values: plainValues(table.getChildAt(index) as Column<unknown>, field.type),
    zoned: field.type.typeId === Type.Timestamp && field.type.timezone != null,
  }));
  return { columns, rows: table.numRows };
}

/** 64-bit integers become numbers; those beyond 2^53 stay `bigint`, which is shown digit for digit. */
function plainValues(column: Column<unknown>, type: DataType): ArrayLike<unknown> {
  const values = column.toArray() as ArrayLike<unknown>;
  const wide = type.typeId === Type.Int && type.bitWidth === 64;
  return wide ? Array.from(values, (value) => (typeof value === "bigint" ? narrow(value) : value)) : values;
}

function narrow(value: bigint): number | bigint {
  const number = Number(value);
  return Number.isSafeInteger(number) ? number : value;
}
