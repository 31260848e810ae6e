/**
 * Asks the host's own back end for an embed code, and does not give up: a failed mint is tried again with growing pauses
 * until it succeeds or a newer challenge replaces it. The clock of the browser is never compared with the server's.
 */

/** A one-time code; `expiresIn` counts seconds from the answer, so a wrong clock does no harm. */
export interface EmbedCode {
  code: string;
  expiresIn: number;
}

/** One failed attempt. `status` is the HTTP status, or 0 when nothing was answered; `retryIn` is in seconds. */
export interface FailedAttempt {
  status: number;
  retryIn: number;
}

/** Longest pause between two attempts, in seconds. */
export const longestPause = 60;

/**
 * Pause before attempt `failures + 1`, in seconds: 1, 2, 4 … 60 with up to a quarter of jitter. A refusal (4xx) starts at 8,
 * because the person has to do something first (usually sign in).
 */
export function pauseAfter(failures: number, status: number, chance: () => number = Math.random): number {
  const refused = status >= 400 && status < 500 && status !== 408 && status !== 429;
  const base = Math.min(longestPause, 2 ** (failures - 1 + (refused ? 3 : 0)));
  return Math.min(longestPause, base * (1 + chance() / 4));
}

/** What {@link fetchCode} needs of the world; tests pass their own. */
export interface CodeFetchWorld {
  fetch: typeof fetch;
  /** Resolves after `seconds`, sooner when the browser comes back online, and rejects when `signal` aborts. */
  pause(seconds: number, signal: AbortSignal): Promise<void>;
}

/**
 * Posts the challenge to `codes` until a code arrives.
 * @throws DOMException `AbortError` when `signal` aborts; nothing else.
 */
export async function fetchCode(
  codes: string,
  request: { challenge: string; workbook: string },
  signal: AbortSignal,
  onFailure: (attempt: FailedAttempt) => void,
  world: CodeFetchWorld = browserWorld,
): Promise<EmbedCode> {
  for (let failures = 1; ; failures++) {
    const answer = await attempt(codes, request, signal, world);
    signal.throwIfAborted();
    if (typeof answer !== "number") return answer;
    const retryIn = pauseAfter(failures, answer);
    onFailure({ status: answer, retryIn });
    await world.pause(retryIn, signal);
  }
}

async function attempt(
  codes: string,
  request: { challenge: string; workbook: string },
  signal: AbortSignal,
  world: CodeFetchWorld,
): Promise<EmbedCode | number> {
  try {
    const response = await world.fetch(codes, {
      method: "POST",
      credentials: "same-origin",
      cache: "no-store",
      headers: { "Content-Type": "application/json", "X-Requested-With": "postern" },
      body: JSON.stringify(request),
      signal,
    });
    if (!response.ok) return response.status;
    const body = (await response.json()) as Partial<EmbedCode> | null;
    if (typeof body?.code !== "string" || body.code === "") return response.status;
    return { code: body.code, expiresIn: typeof body.expiresIn === "number" ? body.expiresIn : 60 };
  } catch {
    return 0;
  }
}

const browserWorld: CodeFetchWorld = {
  fetch: (...args) => fetch(...args),
  pause: (seconds, signal) =>
    new Promise((resolve, reject) => {
      const done = () => {
        clearTimeout(timer);
        removeEventListener("online", wake);
        signal.removeEventListener("abort", stop);
      };
      const wake = () => {
        done();
        resolve();
      };
      const stop = () => {
        done();
        reject(signal.reason as Error);
      };
      const timer = setTimeout(wake, seconds * 1000);
      addEventListener("online", wake);
      signal.addEventListener("abort", stop);
    }),
};
