/**
 * What host page and frame say to one another.
 *
 * Facts this file stands on:
 * - One `window.postMessage` carries the port, from the host page to the frame, addressed to Postern's origin.
 * - Everything else goes over that `MessagePort`, which no third window can listen to.
 * - The frame keeps a nonce to itself and hands out its SHA-256 only; a code is worth nothing without the nonce.
 */

/** Version of this protocol; a frame ignores an offer of another version. */
export const protocolVersion = 1;

/** Colour scheme of the frame: `auto` follows the operating system. */
export type Theme = "auto" | "light" | "dark";

/** Look of the host page that the frame takes over; values are CSS and are checked by the frame. */
export interface ThemeTokens {
  /** CSS colour for buttons, links and the first chart series. */
  accent?: string;
  /** CSS length for corners. */
  radius?: string;
  /** CSS font family list; fonts are not loaded. */
  font?: string;
}

/** The one message over `window.postMessage`; carries exactly one port. */
export interface PortOffer {
  postern: "port";
  version: typeof protocolVersion;
}

/** Host → frame. */
export type ToFrame =
  | { postern: "code"; code: string }
  | { postern: "code-failed"; status: number; retryIn?: number }
  | { postern: "theme"; theme: Theme; tokens: ThemeTokens };

/** What a frame reports to its host; the element dispatches each as `postern-{type}`. */
export type FrameEvent =
  | { type: "ready" }
  | { type: "loaded"; workbook: string; title: string }
  | { type: "connect-required"; connection: string }
  | { type: "connected"; connection: string }
  | { type: "reconnect-required"; connection: string; reason: string }
  | { type: "error"; error: string; title: string; status?: number; traceId?: string }
  | { type: "resize"; height: number };

/** Frame → host. */
export type ToHost =
  | { postern: "challenge"; challenge: string }
  | ({ postern: "event" } & FrameEvent);

/** True for a record with the marker of this protocol; narrows foreign messages before anything is read. */
export function isPosternMessage(data: unknown): data is { postern: string } {
  return typeof data === "object" && data !== null && typeof (data as { postern?: unknown }).postern === "string";
}
