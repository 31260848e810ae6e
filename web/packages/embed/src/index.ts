/**
 * `<postern-workbook src codes>`: shows a Postern workbook inside a page of another origin.
 *
 * The element holds no secret: it passes a challenge from the frame to the host's back end and a one-time code back.
 */
import { fetchCode } from "./code-fetch.ts";
import {
  type FrameEvent, type PortOffer, type Theme, type ThemeTokens, type ToFrame, type ToHost, isPosternMessage, protocolVersion,
} from "./protocol.ts";

export type { FrameEvent, Theme, ThemeTokens } from "./protocol.ts";

/** Payload of the event of the given type, without its name. */
export type DetailOf<T extends FrameEvent["type"]> = Omit<Extract<FrameEvent, { type: T }>, "type">;

/** Events the element dispatches; all bubble and cross shadow roots. */
export interface PosternEventMap {
  "postern-ready": CustomEvent<DetailOf<"ready">>;
  "postern-loaded": CustomEvent<DetailOf<"loaded">>;
  "postern-connect-required": CustomEvent<DetailOf<"connect-required">>;
  "postern-connected": CustomEvent<DetailOf<"connected">>;
  "postern-reconnect-required": CustomEvent<DetailOf<"reconnect-required">>;
  "postern-error": CustomEvent<DetailOf<"error">>;
  "postern-resize": CustomEvent<DetailOf<"resize">>;
}

declare global {
  interface HTMLElementTagNameMap {
    "postern-workbook": PosternWorkbook;
  }
  interface HTMLElementEventMap extends PosternEventMap {}
}

const eventTypes: readonly FrameEvent["type"][] = [
  "ready", "loaded", "connect-required", "connected", "reconnect-required", "error", "resize",
];

/** Seconds a loaded frame has to answer its port before it is loaded again; doubles up to eight times that. */
const answerTime = 8;
const heights = { least: 120, most: 20_000, start: 480 };

export class PosternWorkbook extends HTMLElement {
  static readonly observedAttributes = ["src", "codes", "theme", "frame-title"];

  #frame: HTMLIFrameElement | undefined;
  #port: MessagePort | undefined;
  #minting: AbortController | undefined;
  #answerTimer: ReturnType<typeof setTimeout> | undefined;
  #rebuilding = false;
  #live = false;
  #silences = 0;

  /** Address of the frame, `https://postern.example/embed/{workbook}`. */
  get src(): string { return this.getAttribute("src") ?? ""; }
  set src(value: string) { this.setAttribute("src", value); }

  /** Path on the host's own origin that mints codes. */
  get codes(): string { return this.getAttribute("codes") ?? ""; }
  set codes(value: string) { this.setAttribute("codes", value); }

  /** Colour scheme; default `auto`. */
  get theme(): Theme {
    const value = this.getAttribute("theme");
    return value === "light" || value === "dark" ? value : "auto";
  }
  set theme(value: Theme) { this.setAttribute("theme", value); }

  /** Begins again with a fresh frame and a fresh code. */
  reload(): void {
    this.#build();
  }

  /** Sends the colour scheme and the `--postern-*` custom properties of this element to the frame; call it after changing those. */
  refreshTheme(): void {
    const style = getComputedStyle(this);
    const tokens: ThemeTokens = {};
    for (const name of ["accent", "radius", "font"] as const) {
      const value = style.getPropertyValue(`--postern-${name}`).trim();
      if (value) tokens[name] = value;
    }
    this.#send({ postern: "theme", theme: this.theme, tokens });
  }

  connectedCallback(): void {
    this.#live = true;
    this.#build();
  }

  disconnectedCallback(): void {
    this.#live = false;
    this.#tearDown();
  }

  attributeChangedCallback(name: string, before: string | null, after: string | null): void {
    // An element that is upgraded in place hears of its attributes before it is told that it is connected.
    if (!this.#live || before === after) return;
    if (name === "theme") this.refreshTheme();
    else if (name === "frame-title") this.#frame?.setAttribute("title", this.#title());
    else if (!this.#rebuilding) {
      // src and codes are often set one after the other: one new frame for both.
      this.#rebuilding = true;
      queueMicrotask(() => {
        this.#rebuilding = false;
        if (this.#live) this.#build();
      });
    }
  }

  #title(): string {
    return this.getAttribute("frame-title") ?? "Embedded workbook";
  }

  #build(): void {
    this.#tearDown();
    const address = this.#address();
    if (!address || !this.codes) return;
    const root = this.shadowRoot ?? this.#makeRoot();
    const frame = document.createElement("iframe");
    frame.title = this.#title();
    frame.referrerPolicy = "strict-origin";
    frame.allow = "";
    frame.style.height = `${heights.start}px`;
    frame.addEventListener("load", () => this.#offerPort(frame, address));
    frame.src = address.href;
    this.#frame = frame;
    root.replaceChildren(frame);
  }

  #makeRoot(): ShadowRoot {
    const root = this.attachShadow({ mode: "open" });
    const sheet = new CSSStyleSheet();
    sheet.replaceSync(
      ":host{display:block}:host([hidden]){display:none}iframe{display:block;inline-size:100%;border:0;color-scheme:auto}",
    );
    root.adoptedStyleSheets = [sheet];
    return root;
  }

  #address(): URL | undefined {
    if (!URL.canParse(this.src, document.baseURI)) return undefined;
    const url = new URL(this.src, document.baseURI);
    return url.protocol === "https:" || url.protocol === "http:" ? url : undefined;
  }

  /** A frame's document takes one port, once; a document that reloads is a new document and gets a new one. */
  #offerPort(frame: HTMLIFrameElement, address: URL): void {
    if (frame !== this.#frame) return;
    this.#closePort();
    const channel = new MessageChannel();
    this.#port = channel.port1;
    channel.port1.onmessage = (event) => this.#receive(event.data as ToHost, address);
    const offer: PortOffer = { postern: "port", version: protocolVersion };
    frame.contentWindow?.postMessage(offer, address.origin, [channel.port2]);
    this.refreshTheme();
    this.#answerTimer = setTimeout(() => {
      this.#silences = Math.min(3, this.#silences + 1);
      this.#dispatch({ type: "error", error: "no-answer", title: "The embedded workbook does not answer" });
      this.#build();
    }, answerTime * 2 ** this.#silences * 1000);
  }

  #receive(message: ToHost, address: URL): void {
    if (!isPosternMessage(message)) return;
    clearTimeout(this.#answerTimer);
    this.#silences = 0;
    if (message.postern === "challenge" && typeof message.challenge === "string") void this.#mint(message.challenge, address);
    else if (message.postern === "event" && eventTypes.includes(message.type)) this.#report(message);
  }

  async #mint(challenge: string, address: URL): Promise<void> {
    this.#minting?.abort();
    const minting = (this.#minting = new AbortController());
    const workbook = decodeURIComponent(address.pathname.split("/").filter(Boolean).at(-1) ?? "");
    try {
      const { code } = await fetchCode(this.codes, { challenge, workbook }, minting.signal, ({ status, retryIn }) => {
        this.#send({ postern: "code-failed", status, retryIn });
        this.#dispatch({ type: "error", error: "code-failed", title: "The host application gave no embed code", status });
      });
      this.#send({ postern: "code", code });
    } catch {
      // Only an abort ends here: the element was removed, or the frame asked again.
    }
  }

  #report(message: { postern: "event" } & FrameEvent): void {
    if (message.type === "resize") {
      const height = Math.min(heights.most, Math.max(heights.least, Math.ceil(Number(message.height) || 0)));
      if (this.#frame) this.#frame.style.height = `${height}px`;
    }
    const { postern: _, ...event } = message;
    this.#dispatch(event as FrameEvent);
  }

  #dispatch(event: FrameEvent): void {
    const { type, ...detail } = event;
    this.dispatchEvent(new CustomEvent(`postern-${type}`, { detail, bubbles: true, composed: true }));
  }

  #send(message: ToFrame): void {
    this.#port?.postMessage(message);
  }

  #closePort(): void {
    clearTimeout(this.#answerTimer);
    this.#minting?.abort();
    this.#port?.close();
    this.#port = undefined;
  }

  #tearDown(): void {
    this.#closePort();
    this.#frame?.remove();
    this.#frame = undefined;
  }
}

if (!customElements.get("postern-workbook")) customElements.define("postern-workbook", PosternWorkbook);
