/** Query runs shared by tiles: one run for each query and set of control values, cancelled when nobody holds it any more. */
import { isAbort, problemOf } from "../shared/api.ts";
import { type Problem } from "../shared/wire.ts";
import { type ControlValues } from "./query-fetch.ts";
import { type Result } from "./result.ts";

export type RunState =
  | { status: "loading" }
  | { status: "ready"; result: Result }
  | { status: "error"; problem: Problem };

/** Runs a query by name; given by the viewer. */
export type Runner = (query: string, controls: ControlValues, signal: AbortSignal) => Promise<Result>;

/** A tile's hold on a run. */
export interface Hold {
  readonly key: string;
  readonly state: RunState;
  /** Lets go; the last one to let go cancels a run that is under way. */
  release(): void;
  /** Runs again after an error. */
  retry(): void;
}

interface Run {
  state: RunState;
  abort: AbortController;
  listeners: Set<() => void>;
  start: () => void;
}

export class QueryPool {
  readonly #runner: Runner;
  readonly #onProblem: (problem: Problem) => void;
  readonly #runs = new Map<string, Run>();

  /** `onProblem` hears of every failed run, so that the viewer can act on those that concern the session or the connection. */
  constructor(runner: Runner, onProblem: (problem: Problem) => void) {
    this.#runner = runner;
    this.#onProblem = onProblem;
  }

  /** Name of the run for a query and values; equal names share one run. */
  static key(query: string, controls: ControlValues): string {
    const sorted = Object.keys(controls).sort().map((name) => [name, controls[name]]);
    return JSON.stringify([query, sorted]);
  }

  /** Joins the run for these values, starting it when it is the first; `changed` is called after every change of state. */
  hold(query: string, controls: ControlValues, changed: () => void): Hold {
    const key = QueryPool.key(query, controls);
    const run = this.#runs.get(key) ?? this.#start(key, query, controls);
    // A function of its own for each hold, so that a listener used twice is counted twice.
    const listener = () => changed();
    run.listeners.add(listener);
    return {
      key,
      get state() { return run.state; },
      release: () => {
        if (!run.listeners.delete(listener) || run.listeners.size > 0) return;
        if (this.#runs.get(key) === run) this.#runs.delete(key);
        run.abort.abort();
      },
      retry: () => {
        if (run.state.status === "error") run.start();
      },
    };
  }

  /** Cancels whatever is under way. */
  cancelAll(): void {
    for (const run of this.#runs.values()) run.abort.abort();
  }

  #start(key: string, query: string, controls: ControlValues): Run {
    const run: Run = {
      state: { status: "loading" },
      abort: new AbortController(),
      listeners: new Set(),
      start: () => {
        run.abort.abort();
        run.abort = new AbortController();
        this.#set(run, { status: "loading" });
        void this.#follow(run, query, controls, run.abort.signal);
      },
    };
    this.#runs.set(key, run);
    run.start();
    return run;
  }

  async #follow(run: Run, query: string, controls: ControlValues, signal: AbortSignal): Promise<void> {
    try {
      const result = await this.#runner(query, controls, signal);
      if (!signal.aborted) this.#set(run, { status: "ready", result });
    } catch (error) {
      if (signal.aborted || isAbort(error)) return;
      const problem = problemOf(error);
      this.#set(run, { status: "error", problem });
      this.#onProblem(problem);
    }
  }

  #set(run: Run, state: RunState): void {
    run.state = state;
    for (const listener of [...run.listeners]) listener();
  }
}
