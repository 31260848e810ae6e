/** Keeps `/api/changes` open for as long as the page wants it. */
import { call, isAbort, problemOf } from "./api.ts";
import { readEvents } from "./sse.ts";
import { type Change } from "./wire.ts";

export interface ChangeListener {
  onChange(change: Change): void;
  /** The feed is open again after a gap: something may have been missed. */
  onReopened(): void;
  /** The session is gone (401); the feed has stopped. */
  onUnauthenticated(): void;
}

/** Longest pause between two attempts, in milliseconds. */
const longestPause = 15_000;

/** Opens the feed and returns the function that closes it. */
export function openChangeFeed(listener: ChangeListener): () => void {
  const closing = new AbortController();
  void follow(listener, closing.signal);
  return () => closing.abort();
}

async function follow(listener: ChangeListener, signal: AbortSignal): Promise<void> {
  let failures = 0;
  for (let first = true; !signal.aborted; first = false) {
    try {
      const response = await call("/api/changes", { accept: "text/event-stream", signal });
      if (!first) listener.onReopened();
      failures = 0;
      for await (const { event, data } of readEvents(response.body!)) {
        const change = parseChange(event, data);
        if (change && !signal.aborted) listener.onChange(change);
      }
    } catch (error) {
      if (isAbort(error) || signal.aborted) return;
      if (problemOf(error).status === 401) {
        listener.onUnauthenticated();
        return;
      }
    }
    // A server that ends the stream at once must not be asked in a tight loop either.
    failures++;
    await pause(Math.min(longestPause, 250 * 2 ** failures) * (0.75 + Math.random() / 2), signal);
  }
}

/** Reads one event; `undefined` for kinds this page does not know. */
export function parseChange(event: string, data: string): Change | undefined {
  try {
    const body = JSON.parse(data) as { connection?: unknown; state?: unknown };
    if (event === "session" && body.state === "ended") return { kind: "session", state: "ended" };
    if (event === "grant" && typeof body.connection === "string") {
      const { connection, state } = body;
      if (state === "reconnect" || state === "connected" || state === "revoked") return { kind: "grant", connection, state };
    }
  } catch {
    // A line that is no JSON says nothing.
  }
  return undefined;
}

function pause(milliseconds: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, milliseconds);
    signal.addEventListener("abort", () => { clearTimeout(timer); resolve(); }, { once: true });
  });
}
