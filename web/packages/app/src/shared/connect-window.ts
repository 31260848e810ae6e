/**
 * The opener's side of a connect: a popup of this origin that has no secret in its address.
 *
 * Facts this file stands on:
 * - The handle stays in this window's memory; it is handed only to the window opened here, over this origin.
 * - Whoever finishes at the platform still needs this window: only it can confirm, in the session that began.
 */
import { callJson, isAbort, problemOf } from "./api.ts";
import { type Connect, type Problem } from "./wire.ts";

export type ConnectOutcome =
  | { outcome: "connected"; connection: string; principal?: string }
  | { outcome: "failed"; problem: Problem }
  /** The popup was closed, or could not be opened. */
  | { outcome: "closed" }
  | { outcome: "blocked" };

const popupFeatures = "popup,width=560,height=740";

export class ConnectWindow {
  readonly #connection: string;
  readonly #settle: (outcome: ConnectOutcome) => void;
  #popup: Window | null = null;
  #connect: Connect | undefined;
  #asked = false;
  #confirming = false;
  #watch: ReturnType<typeof setInterval> | undefined;
  readonly #stop = new AbortController();

  /** Outcome of the journey; settles once. */
  readonly outcome: Promise<ConnectOutcome>;

  /** Must be called inside a click handler: a popup opened later is blocked. */
  static open(connection: string): ConnectWindow {
    const window_ = new ConnectWindow(connection);
    window_.#open();
    return window_;
  }

  private constructor(connection: string) {
    this.#connection = connection;
    let settle!: (outcome: ConnectOutcome) => void;
    this.outcome = new Promise((resolve) => (settle = resolve));
    this.#settle = (outcome) => {
      if (this.#stop.signal.aborted) return;
      this.#stop.abort();
      clearInterval(this.#watch);
      settle(outcome);
    };
  }

  /** Brings the popup to the front. */
  focus(): void {
    this.#popup?.focus();
  }

  /** Gives up; the popup is closed. */
  cancel(): void {
    this.#popup?.close();
    this.#settle({ outcome: "closed" });
  }

  #open(): void {
    this.#popup = window.open("/connect", "", popupFeatures);
    if (!this.#popup) {
      this.#settle({ outcome: "blocked" });
      return;
    }
    addEventListener("message", (event) => void this.#receive(event), { signal: this.#stop.signal });
    // Nothing tells an opener that its popup went away.
    this.#watch = setInterval(() => {
      if (this.#popup?.closed && !this.#confirming) this.#settle({ outcome: "closed" });
    }, 400);
    void this.#begin();
  }

  async #begin(): Promise<void> {
    try {
      this.#connect = await callJson<Connect>("/api/connects", {
        method: "POST",
        body: { connection: this.#connection },
        signal: this.#stop.signal,
      });
      if (this.#asked) this.#handOver();
    } catch (error) {
      if (!isAbort(error)) this.#fail(problemOf(error));
    }
  }

  async #receive(event: MessageEvent): Promise<void> {
    if (event.source !== this.#popup || event.origin !== location.origin) return;
    const message = event.data as { postern?: unknown; connect?: unknown; confirmation?: unknown } | null;
    if (message?.postern === "handle?") {
      this.#asked = true;
      if (this.#connect) this.#handOver();
      else this.#post({ postern: "wait" });
    } else if (message?.postern === "connected" && this.#isOurs(message) && typeof message.confirmation === "string") {
      await this.#confirm(message.confirmation);
    } else if (message?.postern === "connect-failed") {
      // A failure may not know which connect it was (a state nobody knows); coming from our popup is enough to show it.
      this.#post({ postern: "ack" });
      this.#settle({ outcome: "failed", problem: failureOf(message) });
    }
  }

  #isOurs(message: { connect?: unknown }): boolean {
    return this.#connect !== undefined && message.connect === this.#connect.id;
  }

  #handOver(): void {
    this.#post({ postern: "handle", handle: this.#connect?.handle });
  }

  async #confirm(confirmation: string): Promise<void> {
    if (this.#confirming) return;
    this.#confirming = true;
    try {
      const path = `/api/connects/${encodeURIComponent(this.#connect!.id)}/confirm`;
      const done = await callJson<{ connection: string; principal?: string }>(path, { method: "POST", body: { confirmation } });
      this.#post({ postern: "ack" });
      this.#settle({ outcome: "connected", ...done });
    } catch (error) {
      this.#post({ postern: "ack" });
      this.#settle({ outcome: "failed", problem: problemOf(error) });
    }
  }

  #fail(problem: Problem): void {
    this.#popup?.close();
    this.#settle({ outcome: "failed", problem });
  }

  #post(message: object): void {
    this.#popup?.postMessage(message, location.origin);
  }
}

function failureOf(message: object): Problem {
  const { title, detail, outcome } = message as { title?: unknown; detail?: unknown; outcome?: unknown };
  return {
    type: `urn:postern:connect:${typeof outcome === "string" ? outcome : "failed"}`,
    title: typeof title === "string" && title ? title : "The connection was not made",
    status: 0,
    ...(typeof detail === "string" && detail && { detail }),
  };
}
