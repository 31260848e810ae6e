import { int32, tableFromArrays, tableToIPC } from "@uwdata/flechette";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { type ProblemError, isAbort } from "../../packages/app/src/shared/api.ts";
import { problems } from "../../packages/app/src/shared/wire.ts";
import { runQuery } from "../../packages/app/src/viewer/query-fetch.ts";

const stream = tableToIPC(tableFromArrays({ a: [1, 2] }, { types: { a: int32() } }), { format: "stream" })!;
const query = { columns: { a: { type: "int" as const } } };

/** Answers fetches in order and records them. */
function serve(...answers: (() => Response | Promise<Response>)[]) {
  const calls: { path: string; init: RequestInit }[] = [];
  vi.stubGlobal("fetch", (path: string, init: RequestInit) => {
    calls.push({ path, init });
    return Promise.resolve(answers[calls.length - 1]!());
  });
  return calls;
}

const rows = (body: BodyInit) => () => new Response(body, { headers: { "X-Postern-Query": "q-7" } });
const failure = (run: Promise<unknown>): Promise<ProblemError> => run.then(() => { throw new Error("It did not fail"); }, (error: ProblemError) => error);

beforeEach(() => void vi.stubGlobal("location", { pathname: "/embed/flight_delays" }));
afterEach(() => vi.unstubAllGlobals());

describe("runQuery", () => {
  test("Answer_Whole_BecomesAResult", async () => {
    const calls = serve(rows(stream as BodyInit));
    const result = await runQuery("w/1", "q", query, { n: 1 }, new AbortController().signal);
    expect([result.rows, result.id]).toEqual([2, "q-7"]);
    expect(calls[0]!.path).toBe("/api/workbooks/w%2F1/queries/q");
    expect(calls[0]!.init.headers).toMatchObject({ "X-Postern-Csrf": "1", Accept: "application/vnd.apache.arrow.stream" });
    expect(calls[0]!.init.body).toBe('{"controls":{"n":1}}');
  });

  test("Answer_WithoutEndMarker_IsCutOff", async () => {
    serve(rows(stream.subarray(0, -8) as BodyInit));
    const { problem } = await failure(runQuery("w", "q", query, {}, new AbortController().signal));
    expect(problem).toMatchObject({ type: problems.cutOff, traceId: "q-7" });
  });

  test("Answer_BrokenConnection_IsCutOff", async () => {
    serve(rows(new ReadableStream({ start: (controller) => controller.error(new TypeError("network error")) })));
    expect((await failure(runQuery("w", "q", query, {}, new AbortController().signal))).problem.type).toBe(problems.cutOff);
  });

  test("Answer_WithoutAPromisedColumn_IsUnreadable", async () => {
    serve(rows(stream as BodyInit));
    const other = { columns: { b: { type: "int" as const } } };
    expect((await failure(runQuery("w", "q", other, {}, new AbortController().signal))).problem.type).toBe(problems.unreadable);
  });

  test("Refusal_WithAProblem_KeepsTypeReasonAndRetryAfter", async () => {
    const body = JSON.stringify({ type: problems.reconnectRequired, title: "Again", connection: "lakehouse", reason: "scope", traceId: "t" });
    serve(() => new Response(body, { status: 409, headers: { "Content-Type": "application/problem+json", "Retry-After": "3" } }));
    const { problem } = await failure(runQuery("w", "q", query, {}, new AbortController().signal));
    expect(problem).toEqual({ type: problems.reconnectRequired, title: "Again", status: 409, connection: "lakehouse", reason: "scope", traceId: "t", retryAfter: 3 });
  });

  test("Network_Down_IsUnreachable", async () => {
    serve(() => Promise.reject(new TypeError("Failed to fetch")));
    expect((await failure(runQuery("w", "q", query, {}, new AbortController().signal))).problem.type).toBe(problems.unreachable);
  });

  test("Abort_AfterTheHeaders_CancelsTheRunByName", async () => {
    const abort = new AbortController();
    const body = new ReadableStream({ start: (controller) => abort.signal.addEventListener("abort", () => controller.error(abort.signal.reason)) });
    const calls = serve(rows(body), () => new Response(null, { status: 202 }));
    const run = failure(runQuery("w", "q", query, {}, abort.signal));
    await new Promise(setImmediate);
    abort.abort();
    expect(isAbort(await run)).toBe(true);
    expect(calls[1]).toMatchObject({ path: "/api/queries/q-7", init: { method: "DELETE", keepalive: true } });
  });
});
