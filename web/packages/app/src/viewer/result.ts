/** A query's result as the tiles see it: columns under the workbook's contract. */
import { type Formatter, formatterFor } from "./format.ts";
import { type ColumnType, type Query } from "../shared/wire.ts";
import { type DecodedTable } from "./arrow.ts";

export interface ResultColumn {
  name: string;
  label: string;
  type: ColumnType;
  zoned: boolean;
  values: ArrayLike<unknown>;
  format: Formatter;
}

export interface Result {
  columns: ResultColumn[];
  rows: number;
  /** Id of the query run, for support and cancellation. */
  id?: string;
}

/**
 * Puts decoded columns under the query's contract, in its order.
 * @throws Error when a promised column is missing.
 */
export function toResult(table: DecodedTable, query: Query, id?: string): Result {
  const columns = Object.entries(query.columns).map(([name, contract]): ResultColumn => {
    const column = table.columns.find((candidate) => candidate.name === name);
    if (!column) throw new Error(`The result lacks the column ${name}`);
    return {
      name,
      label: contract.label ?? name.replaceAll("_", " ").replace(/^./, (first) => first.toUpperCase()),
      type: contract.type,
      zoned: column.zoned,
      values: column.values,
      format: formatterFor(contract.type, contract.format, column.zoned),
    };
  });
  return { columns, rows: table.rows, ...(id !== undefined && { id }) };
}

/** The column of that name, if the result has it. */
export function columnNamed(result: Result, name: string): ResultColumn | undefined {
  return result.columns.find((column) => column.name === name);
}
