import { describe, expect, test, vi } from "vitest";
import { ProblemError } from "../../packages/app/src/shared/api.ts";
import { QueryPool } from "../../packages/app/src/viewer/query-pool.ts";
import { type Result } from "../../packages/app/src/viewer/result.ts";

const empty: Result = { columns: [], rows: 0 };

/** A runner whose runs end when the test says so. */
function manual() {
  const runs: { signal: AbortSignal; done: (result: Result) => void; fail: (error: unknown) => void }[] = [];
  const runner = (_: string, __: object, signal: AbortSignal) => new Promise<Result>((done, fail) => runs.push({ signal, done, fail }));
  return { runs, pool: (onProblem = vi.fn()) => new QueryPool(runner, onProblem) };
}

describe("QueryPool", () => {
  test("TwoHolds_SameQueryAndValues_ShareOneRun", async () => {
    const { runs, pool } = manual();
    const shared = pool();
    const changed = [vi.fn(), vi.fn()];
    const first = shared.hold("delays", { a: 1, b: ["x"] }, changed[0]!);
    const second = shared.hold("delays", { b: ["x"], a: 1 }, changed[1]!);
    expect(runs.length).toBe(1);
    runs[0]!.done(empty);
    await vi.waitFor(() => expect(second.state.status).toBe("ready"));
    expect(first.state.status).toBe("ready");
    expect(changed.map(({ mock }) => mock.calls.length)).toEqual([1, 1]);
  });

  test("LastHold_Released_AbortsTheRunAndNotBefore", () => {
    const { runs, pool } = manual();
    const shared = pool();
    const holds = [shared.hold("q", {}, () => {}), shared.hold("q", {}, () => {})];
    holds[0]!.release();
    holds[0]!.release();
    expect(runs[0]!.signal.aborted).toBe(false);
    holds[1]!.release();
    expect(runs[0]!.signal.aborted).toBe(true);
    shared.hold("q", {}, () => {});
    expect(runs.length, "an aborted run is not joined").toBe(2);
  });

  test("Run_Failed_ReportsOnceAndCanBeRetried", async () => {
    const { runs, pool } = manual();
    const onProblem = vi.fn();
    const hold = pool(onProblem).hold("q", {}, () => {});
    runs[0]!.fail(new ProblemError({ type: "urn:postern:platform-unavailable", title: "Down", status: 503 }));
    await vi.waitFor(() => expect(hold.state.status).toBe("error"));
    expect(onProblem).toHaveBeenCalledOnce();
    hold.retry();
    expect(hold.state.status).toBe("loading");
    runs[1]!.done(empty);
    await vi.waitFor(() => expect(hold.state.status).toBe("ready"));
  });

  test("Run_AbortedThenAnswered_ChangesNothing", async () => {
    const { runs, pool } = manual();
    const onProblem = vi.fn();
    const changed = vi.fn();
    const shared = pool(onProblem);
    shared.hold("q", {}, changed).release();
    runs[0]!.done(empty);
    await Promise.resolve();
    expect(changed).not.toHaveBeenCalled();
    expect(onProblem).not.toHaveBeenCalled();
  });
});
