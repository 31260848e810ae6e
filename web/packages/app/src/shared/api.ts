/** Calls to Postern from its own pages: one place for the CSRF header, problems and aborts. */
import { type Problem, problems } from "./wire.ts";

/** A refused or failed call; `problem` is fit to be shown. */
export class ProblemError extends Error {
  readonly problem: Problem;

  constructor(problem: Problem) {
    super(problem.title);
    this.name = "ProblemError";
    this.problem = problem;
  }
}

/**
 * Headers every call carries: one that a cross-site form cannot set, and which of the browser's sessions this page means, since a
 * frame's and the portal's cookie may both be sent where host and Postern share a site.
 */
const own = () => ({ "X-Postern-Csrf": "1", "X-Postern-Session": location.pathname.startsWith("/embed/") ? "frame" : "portal" });

export interface CallOptions {
  method?: "GET" | "POST" | "DELETE";
  body?: unknown;
  accept?: string;
  signal?: AbortSignal;
  /** Lets the call outlive the page. */
  keepalive?: boolean;
  /** Takes a redirect as success and does not follow it; without, a redirect is a failure. */
  redirectIsDone?: boolean;
}

/**
 * Calls Postern and hands back the answer with a status of 2xx.
 * @throws ProblemError for every other answer and when there is none; `AbortError` when `signal` aborts.
 */
export async function call(path: string, options: CallOptions = {}): Promise<Response> {
  const headers: Record<string, string> = { ...own(), Accept: options.accept ?? "application/json" };
  if (options.body !== undefined) headers["Content-Type"] = "application/json";
  let response: Response;
  try {
    response = await fetch(path, {
      method: options.method ?? "GET",
      headers,
      credentials: "same-origin",
      cache: "no-store",
      redirect: options.redirectIsDone ? "manual" : "error",
      ...(options.body !== undefined && { body: JSON.stringify(options.body) }),
      ...(options.signal && { signal: options.signal }),
      ...(options.keepalive && { keepalive: true }),
    });
  } catch (error) {
    if (isAbort(error)) throw error;
    throw new ProblemError({
      type: problems.unreachable,
      title: "Postern cannot be reached",
      status: 0,
      detail: "The connection to the server failed. Check the network and try again.",
    });
  }
  if (response.type === "opaqueredirect") return response;
  if (!response.ok) throw new ProblemError(await readProblem(response));
  return response;
}

/** {@link call}, with the body read as JSON. */
export async function callJson<T>(path: string, options: CallOptions = {}): Promise<T> {
  const response = await call(path, options);
  try {
    return (await response.json()) as T;
  } catch (error) {
    if (isAbort(error)) throw error;
    throw new ProblemError({ type: problems.unreadable, title: "The answer could not be read", status: response.status });
  }
}

/** Reads a problem document; anything else becomes a problem that says no more than the status. */
export async function readProblem(response: Response): Promise<Problem> {
  const retryAfter = Number.parseInt(response.headers.get("Retry-After") ?? "", 10);
  const fallback: Problem = { type: "about:blank", title: `The server answered ${response.status}`, status: response.status };
  let body: Partial<Problem> = {};
  if (/\bjson\b/.test(response.headers.get("Content-Type") ?? "")) {
    body = ((await response.json().catch(() => null)) as Partial<Problem> | null) ?? {};
  }
  return {
    ...fallback,
    ...(typeof body.type === "string" && { type: body.type }),
    ...(typeof body.title === "string" && { title: body.title }),
    ...(typeof body.detail === "string" && { detail: body.detail }),
    ...(typeof body.traceId === "string" && { traceId: body.traceId }),
    ...(typeof body.connection === "string" && { connection: body.connection }),
    ...(typeof body.reason === "string" && { reason: body.reason }),
    ...(Number.isFinite(retryAfter) && { retryAfter }),
  };
}

/** True for the rejection of an aborted call. */
export function isAbort(error: unknown): boolean {
  return error instanceof DOMException && error.name === "AbortError";
}

/** What to show for anything thrown by a call. */
export function problemOf(error: unknown): Problem {
  if (error instanceof ProblemError) return error.problem;
  return { type: problems.unreadable, title: "Something went wrong in the browser", status: 0 };
}
