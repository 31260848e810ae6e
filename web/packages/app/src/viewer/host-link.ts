/**
 * The frame's end of the embedding handshake.
 *
 * Facts this file stands on:
 * - The port is taken once, from the parent window alone, and only when its origin is one the gateway named for this document.
 * - The nonce (32 random bytes) never leaves this frame before it is redeemed; the host sees its SHA-256 (base64url, RFC 4648 section 5).
 */
import { type FrameEvent, type Theme, type ThemeTokens, type ToFrame, type ToHost, isPosternMessage, protocolVersion } from "@postern/embed/protocol";

/** A code and the nonce that belongs to it. */
export interface Redeemable {
  code: string;
  nonce: string;
}

export interface HostListener {
  onTheme(theme: Theme, tokens: ThemeTokens): void;
  /** The host's back end gave no code; its element keeps trying. */
  onCodeFailed(status: number, retryIn: number | undefined): void;
}

/** Decides whether a message is the one offer of a port this frame may take. */
export function isAcceptableOffer(
  event: Pick<MessageEvent, "source" | "origin" | "data" | "ports">, parent: unknown, origins: readonly string[],
): boolean {
  const data = event.data as { postern?: unknown; version?: unknown } | null;
  return event.source === parent
    && event.source !== null
    && event.origin !== "null"
    && origins.includes(event.origin)
    && isPosternMessage(data)
    && data.postern === "port"
    && (data as { version?: unknown }).version === protocolVersion
    && event.ports.length === 1;
}

/** Splits the `embed-origins` attribute. */
export function parseOrigins(attribute: string): string[] {
  return attribute.split(/\s+/).filter((origin) => origin !== "" && URL.canParse(origin) && new URL(origin).origin === origin);
}

export class HostLink {
  #port: MessagePort | undefined;
  #early: ToHost[] = [];
  #asking: { nonce: string; resolve: (redeemable: Redeemable) => void } | undefined;
  readonly #listener: HostListener;
  readonly #taken: Promise<void>;

  /** Listens from now on; messages sent before the port is there wait for it. */
  constructor(origins: readonly string[], listener: HostListener) {
    this.#listener = listener;
    this.#taken = new Promise((resolve) => {
      const receive = (event: MessageEvent) => {
        if (!isAcceptableOffer(event, window.parent, origins)) return;
        removeEventListener("message", receive);
        this.#take(event.ports[0]!);
        resolve();
      };
      addEventListener("message", receive);
    });
  }

  /** Asks for a code bound to a new nonce. A second call replaces the first, whose promise stays open. */
  async requestCode(): Promise<Redeemable> {
    await this.#taken;
    const { nonce, challenge } = await makeChallenge();
    return new Promise((resolve) => {
      this.#asking = { nonce, resolve };
      this.#post({ postern: "challenge", challenge });
    });
  }

  /** Reports to the host page. */
  report(event: FrameEvent): void {
    this.#post({ postern: "event", ...event });
  }

  #take(port: MessagePort): void {
    this.#port = port;
    port.onmessage = (event) => this.#receive(event.data as ToFrame);
    for (const message of this.#early.splice(0)) port.postMessage(message);
  }

  #receive(message: ToFrame): void {
    if (!isPosternMessage(message)) return;
    if (message.postern === "code" && typeof message.code === "string" && this.#asking) {
      const { nonce, resolve } = this.#asking;
      this.#asking = undefined;
      resolve({ code: message.code, nonce });
    } else if (message.postern === "code-failed") {
      this.#listener.onCodeFailed(Number(message.status) || 0, typeof message.retryIn === "number" ? message.retryIn : undefined);
    } else if (message.postern === "theme") {
      const theme: Theme = message.theme === "light" || message.theme === "dark" ? message.theme : "auto";
      this.#listener.onTheme(theme, typeof message.tokens === "object" ? message.tokens : {});
    }
  }

  #post(message: ToHost): void {
    if (this.#port) this.#port.postMessage(message);
    else this.#early.push(message);
  }
}

/** A fresh nonce and its challenge. */
export async function makeChallenge(): Promise<{ nonce: string; challenge: string }> {
  const nonce = base64url(crypto.getRandomValues(new Uint8Array(32)));
  const digest = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(nonce));
  return { nonce, challenge: base64url(new Uint8Array(digest)) };
}

function base64url(bytes: Uint8Array): string {
  return btoa(String.fromCharCode(...bytes)).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
}
