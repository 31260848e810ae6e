/** One query run, from request to result, with cancellation that reaches the platform. */
import { ProblemError, call, isAbort } from "../shared/api.ts";
import { type ControlValue, type Problem, type Query, problems } from "../shared/wire.ts";
import { decodeStream, isWholeStream } from "./arrow.ts";
import { type Result, toResult } from "./result.ts";

export type ControlValues = Record<string, ControlValue>;

const arrowStream = "application/vnd.apache.arrow.stream";

/**
 * Runs a published query and decodes its result.
 *
 * When `signal` aborts, the request is dropped and, where the run's id is known already, the run is cancelled by name as well:
 * a proxy in between may keep a dropped request alive.
 * @throws ProblemError for a refusal, a cut stream or an unreadable one; `AbortError` when `signal` aborts.
 */
export async function runQuery(
  workbook: string, name: string, query: Query, controls: ControlValues, signal: AbortSignal,
): Promise<Result> {
  const response = await call(queryPath(workbook, name), { method: "POST", body: { controls }, accept: arrowStream, signal });
  const id = response.headers.get("X-Postern-Query") ?? undefined;
  const cancel = () => id && cancelQuery(id);
  signal.addEventListener("abort", cancel, { once: true });
  try {
    return decode(await readAll(response, id), query, id);
  } finally {
    signal.removeEventListener("abort", cancel);
  }
}

/** Downloads a query's rows as CSV, as the gateway writes them: an export is a query run of its own, with its own audit event. */
export async function exportCsv(workbook: string, name: string, controls: ControlValues, signal: AbortSignal): Promise<Blob> {
  const response = await call(queryPath(workbook, name), { method: "POST", body: { controls }, accept: "text/csv", signal });
  try {
    return await response.blob();
  } catch (error) {
    if (isAbort(error)) throw error;
    throw new ProblemError(cutOff());
  }
}

/** Asks the gateway to stop a run. Nobody waits for the answer; it may be sent while the page closes. */
export function cancelQuery(id: string): void {
  call(`/api/queries/${encodeURIComponent(id)}`, { method: "DELETE", keepalive: true }).catch(() => {
    // The dropped request cancels the run too; this call only makes it sooner.
  });
}

function queryPath(workbook: string, name: string): string {
  return `/api/workbooks/${encodeURIComponent(workbook)}/queries/${encodeURIComponent(name)}`;
}

async function readAll(response: Response, id: string | undefined): Promise<Uint8Array> {
  try {
    return new Uint8Array(await response.arrayBuffer());
  } catch (error) {
    if (isAbort(error)) throw error;
    throw new ProblemError(cutOff(id));
  }
}

function decode(bytes: Uint8Array, query: Query, id: string | undefined): Result {
  if (!isWholeStream(bytes)) throw new ProblemError(cutOff(id));
  try {
    return toResult(decodeStream(bytes), query, id);
  } catch {
    throw new ProblemError({
      type: problems.unreadable,
      title: "The result could not be read",
      status: 0,
      detail: "The data does not have the columns this workbook promises.",
      ...(id !== undefined && { traceId: id }),
    });
  }
}

function cutOff(id?: string): Problem {
  return {
    type: problems.cutOff,
    title: "The result was cut off",
    status: 0,
    detail: "The query stopped before its last row, so nothing of it is shown.",
    ...(id !== undefined && { traceId: id }),
  };
}
