/**
 * `<postern-viewer workbook embed-origins>`: shows one workbook. With `embed-origins` it is a frame's document and takes its session
 * from the host page; without, it is a page of the portal.
 */
import { LitElement, type PropertyValues, type TemplateResult, html, nothing } from "lit";
import { customElement, property, query, state } from "lit/decorators.js";
import { keyed } from "lit/directives/keyed.js";
import { callJson, problemOf } from "../shared/api.ts";
import { openChangeFeed } from "../shared/change-feed.ts";
import { cssom } from "../shared/cssom.ts";
import { ConnectWindow } from "../shared/connect-window.ts";
import { applyTheme } from "../shared/theme.ts";
import { baseStyles } from "../shared/ui.ts";
import { type Change, type ConnectionState, type Page, type Problem, type ReconnectReason, type Session, type Workbook, problems } from "../shared/wire.ts";
import "./control-bar.ts";
import { initialValues, valuesFor } from "./controls.ts";
import { connectGate, serviceGate, stopGate } from "./gate.ts";
import { HostLink, parseOrigins } from "./host-link.ts";
import { type ControlValues, runQuery } from "./query-fetch.ts";
import { QueryPool } from "./query-pool.ts";
import { frameSession, portalSession, type SessionSource } from "./session-source.ts";
import { spansOf } from "./layout.ts";
import "./tile.ts";
import { viewerHeader } from "./viewer-header.ts";
import { viewerStyles } from "./viewer-styles.ts";

/** What the viewer shows. */
type Phase =
  | { name: "opening"; hint?: string }
  | { name: "connect"; reason: ReconnectReason | undefined }
  | { name: "tiles" }
  | { name: "stopped"; problem: Problem; action?: { label: string; run(): void } };

/** Pause after the last change of a control before queries run, in milliseconds. */
const settleTime = 250;

/** A frame renews its session this long before the end, in seconds. */
const renewBefore = 60;

@customElement("postern-viewer")
export class PosternViewer extends LitElement {
  static override readonly styles = [baseStyles, viewerStyles];

  @property() workbook = "";
  /** Origins that may embed this document, separated by spaces; set by the gateway. */
  @property({ attribute: "embed-origins" }) embedOrigins: string | undefined;

  @state() private phase: Phase = { name: "opening" };
  @state() private session: Session | undefined;
  @state() private definition: Workbook | undefined;
  @state() private page = 0;
  @state() private values: ControlValues = {};
  @state() private status = "";
  @state() private connecting: ConnectWindow | undefined;
  @state() private connectProblem: Problem | undefined;
  @query(".gate h2") private gateHeading!: HTMLElement | null;

  #link: HostLink | undefined;
  #source!: SessionSource;
  #pool = this.#makePool();
  #closeFeed: (() => void) | undefined;
  #opening = false;
  #openedAt = 0;
  /** A query succeeded in this session, so the browser keeps its cookie. */
  #served = false;
  #hadFocus = false;
  #renewal: ReturnType<typeof setTimeout> | undefined;
  #settling: ReturnType<typeof setTimeout> | undefined;
  readonly #height = new ResizeObserver(() => this.#link?.report({ type: "resize", height: this.offsetHeight }));

  override connectedCallback(): void {
    super.connectedCallback();
    addEventListener("pagehide", this.#leave);
    addEventListener("pageshow", this.#shownAgain);
    this.#height.observe(this);
    void this.#begin();
  }

  override disconnectedCallback(): void {
    super.disconnectedCallback();
    removeEventListener("pagehide", this.#leave);
    removeEventListener("pageshow", this.#shownAgain);
    this.#height.disconnect();
    this.#leave();
  }

  override willUpdate(): void {
    this.#hadFocus = this.shadowRoot?.activeElement != null;
  }

  override updated(changed: PropertyValues): void {
    // A panel that takes the place of what had the focus takes the focus too.
    if (changed.has("phase") && this.#hadFocus && this.shadowRoot?.activeElement == null) this.gateHeading?.focus();
  }

  // --- session ---------------------------------------------------------------------------------------------------------

  async #begin(): Promise<void> {
    if (this.embedOrigins === undefined) {
      this.#source = portalSession;
    } else if (window.parent === window) {
      this.#stop({ type: problems.unreadable, title: "This dashboard lives inside another application", status: 0, detail: "Open the application that embeds it." });
      return;
    } else {
      this.#link = new HostLink(parseOrigins(this.embedOrigins), {
        onTheme: applyTheme,
        onCodeFailed: (status) => this.#codeFailed(status),
      });
      this.#source = frameSession(this.#link);
      this.#link.report({ type: "ready" });
    }
    await this.#open();
  }

  /** Opens (or reopens) the session, then the workbook. One at a time. */
  async #open(): Promise<void> {
    if (this.#opening) return;
    this.#opening = true;
    this.phase = { name: "opening" };
    this.#forget();
    try {
      this.#takeSession(await this.#source.open());
      this.definition = await callJson<Workbook>(`/api/workbooks/${encodeURIComponent(this.workbook)}`);
      this.#loaded(this.definition);
    } catch (error) {
      this.#refused(problemOf(error));
    } finally {
      this.#opening = false;
    }
  }

  #takeSession(session: Session): void {
    this.session = session;
    this.#openedAt = performance.now();
    this.#served = false;
    this.#closeFeed?.();
    this.#closeFeed = openChangeFeed({
      onChange: (change) => this.#changed(change),
      onReopened: () => void this.#refreshSession(),
      onUnauthenticated: () => this.#sessionGone(),
    });
    clearTimeout(this.#renewal);
    if (this.#link && session.expiresIn > 2 * renewBefore) {
      this.#renewal = setTimeout(() => void this.#renew(), Math.min(2 ** 31 - 1, (session.expiresIn - renewBefore) * 1000));
    }
  }

  /** A new session for the same person goes unnoticed; for another one, everything begins again. */
  async #renew(): Promise<void> {
    if (this.connecting) return; // Only the session that began a connect may confirm it; a 401 will ask for a code later.
    const before = this.session?.subject.id;
    try {
      const session = await this.#source.open();
      if (session.subject.id === before) this.#takeSession(session);
      else await this.#open();
    } catch {
      // The present session still stands; its end will be noticed.
    }
  }

  #loaded(workbook: Workbook): void {
    document.title = workbook.title;
    const today = new Date();
    const calendar = new Date(today.getTime() - today.getTimezoneOffset() * 60_000).toISOString().slice(0, 10);
    this.values = initialValues(workbook.controls, calendar);
    this.page = 0;
    this.#link?.report({ type: "loaded", workbook: workbook.id, title: workbook.title });
    this.#showConnection();
  }

  /** Tiles or the way to connect, by the state of the workbook's connection. */
  #showConnection(): void {
    const connection = this.#connection();
    if (connection && connection.state !== "connected") this.#requireConnect(connection.reason ?? "none");
    else this.phase = { name: "tiles" };
  }

  #connection(): ConnectionState | undefined {
    return this.session?.connections.find(({ id }) => id === this.definition?.connection);
  }

  async #refreshSession(): Promise<void> {
    try {
      this.session = await callJson<Session>("/api/session");
    } catch (error) {
      this.#refused(problemOf(error));
      return;
    }
    if (!this.definition || this.phase.name === "opening" || this.connecting) return;
    this.#showConnection();
  }

  /** 401: a frame asks its host for a new code; a page sends the person to sign in. A session refused right away ends the attempt. */
  #sessionGone(): void {
    if (this.#opening) return;
    this.#forget();
    if (!this.#link) {
      this.#stop({ type: problems.unauthenticated, title: "You are signed out", status: 401, detail: "Sign in to see this workbook." }, { label: "Sign in", run: signIn });
    } else if (this.#served || performance.now() - this.#openedAt > 5_000) {
      void this.#open();
    } else {
      this.#stop({ type: problems.unauthenticated, title: "The session could not be kept", status: 401, detail: "The browser may be refusing cookies in embedded pages." }, { label: "Open again", run: () => void this.#open() });
    }
  }

  #codeFailed(status: number): void {
    const signedOut = status === 401 || status === 403;
    if (this.phase.name === "opening") {
      this.phase = { name: "opening", hint: signedOut ? "Waiting for you to sign in to the application around this page." : "The application around this page did not answer. Trying again." };
    }
    this.#link?.report({ type: "error", error: "code-failed", title: "No embed code", status });
  }

  // --- changes and problems --------------------------------------------------------------------------------------------

  #changed(change: Change): void {
    if (change.kind === "session") {
      this.#forget();
      this.#stop({ type: problems.unauthenticated, title: "This session was ended", status: 401, detail: "Its data has been removed from this page." },
        this.#link ? { label: "Open again", run: () => void this.#open() } : { label: "Sign in", run: signIn });
    } else if (change.connection === this.definition?.connection) {
      if (change.state === "connected") void this.#refreshSession();
      else if (this.phase.name !== "connect") this.#requireConnect(change.state === "revoked" ? "revoked" : "expired");
    }
  }

  /** Every failed query passes here; those about the session or the connection concern the whole viewer. */
  #queryFailed(problem: Problem): void {
    if (problem.status === 401) this.#sessionGone();
    else if (problem.type === problems.reconnectRequired && this.phase.name === "tiles") this.#requireConnect(problem.reason ?? "expired");
    else if (problem.type !== problems.reconnectRequired) this.#reportError(problem);
  }

  #refused(problem: Problem): void {
    if (problem.status === 401 && !this.#opening) this.#sessionGone();
    else if (problem.status === 401 && !this.#link) signIn();
    else this.#stop(problem, { label: "Try again", run: () => void this.#open() });
  }

  #requireConnect(reason: ReconnectReason | undefined): void {
    const connection = this.#connection();
    const first = reason === "none" || reason === undefined;
    if (connection) {
      const state = first ? "not-connected" : "reconnect";
      this.session = { ...this.session!, connections: this.session!.connections.map((each) => (each === connection ? { ...each, state } : each)) };
    }
    this.phase = { name: "connect", reason };
    this.status = first ? "A connection is needed." : "The connection has to be made again. The data is no longer shown.";
    const id = this.definition?.connection ?? "";
    if (first) this.#link?.report({ type: "connect-required", connection: id });
    else this.#link?.report({ type: "reconnect-required", connection: id, reason });
  }

  #stop(problem: Problem, action?: { label: string; run(): void }): void {
    this.phase = action ? { name: "stopped", problem, action } : { name: "stopped", problem };
    this.#reportError(problem);
  }

  #reportError({ type, title, status, traceId }: Problem): void {
    this.#link?.report({ type: "error", error: type, title, status, ...(traceId !== undefined && { traceId }) });
  }

  // --- connect ---------------------------------------------------------------------------------------------------------

  /** Runs inside the click: a popup opened any later is blocked. */
  readonly #connect = async (): Promise<void> => {
    const connect = ConnectWindow.open(this.definition!.connection);
    this.connecting = connect;
    this.connectProblem = undefined;
    const done = await connect.outcome;
    if (this.connecting !== connect) return;
    this.connecting = undefined;
    if (done.outcome === "connected") {
      this.status = "Connected.";
      this.#link?.report({ type: "connected", connection: done.connection });
      await this.#refreshSession();
    } else if (done.outcome === "failed") {
      this.connectProblem = done.problem;
    } else if (done.outcome === "blocked") {
      this.connectProblem = { type: problems.unreadable, title: "The browser blocked the window", status: 0, detail: "Allow pop-ups for this page and try again." };
    } else {
      // The window may have been cut off from this page and still have finished: ask.
      await this.#refreshSession();
    }
  };

  // --- state -----------------------------------------------------------------------------------------------------------

  #makePool(): QueryPool {
    return new QueryPool(
      async (name, controls, signal) => {
        const result = await runQuery(this.workbook, name, this.definition!.queries[name] ?? { columns: {} }, controls, signal);
        this.#served = true;
        return result;
      },
      (problem) => this.#queryFailed(problem),
    );
  }

  /** Drops everything that was shown for a session: its data must not outlive it. */
  #forget(): void {
    this.#leave();
    this.session = undefined;
    this.definition = undefined;
    this.#pool = this.#makePool();
  }

  /** Stops the feed and the queries under way. */
  readonly #leave = (): void => {
    clearTimeout(this.#renewal);
    clearTimeout(this.#settling);
    this.#closeFeed?.();
    this.#closeFeed = undefined;
    this.#pool.cancelAll();
  };

  /** Back from the browser's page cache: everything was cancelled and may be old. */
  readonly #shownAgain = (event: PageTransitionEvent): void => {
    if (event.persisted && this.phase.name !== "stopped") void this.#open();
  };

  readonly #newValues = (event: CustomEvent<ControlValues>): void => {
    clearTimeout(this.#settling);
    this.#settling = setTimeout(() => {
      this.values = event.detail;
      this.status = "Updating.";
    }, settleTime);
  };

  // --- render ----------------------------------------------------------------------------------------------------------

  override render(): TemplateResult {
    return html`
      <main class="viewer" aria-label=${this.definition?.title ?? "Workbook"}>
        ${this.definition ? viewerHeader(this.definition.title, this.session, this.#connection()) : nothing}
        ${this.#content()}
        <p class="visually-hidden" role="status">${this.status}</p>
      </main>`;
  }

  #content() {
    const { phase } = this;
    switch (phase.name) {
      case "opening":
        return html`<div class="opening" role="status"><span class="spinner"></span>${phase.hint ?? "Opening the workbook"}</div>`;
      case "stopped":
        return stopGate(phase.problem, phase.action);
      case "connect": {
        const connection = this.#connection() ?? { displayName: this.definition!.connection, platform: "the data platform", identity: "user" as const };
        if (connection.identity === "service") return serviceGate(connection.displayName);
        return connectGate({
          connection, session: this.session!, reason: phase.reason, waiting: this.connecting !== undefined, problem: this.connectProblem,
          onConnect: () => void this.#connect(), onFocus: () => this.connecting?.focus(), onCancel: () => this.connecting?.cancel(),
        });
      }
      case "tiles":
        return this.#tiles(this.definition!);
    }
  }

  #tiles(workbook: Workbook) {
    const page = workbook.pages[this.page] ?? workbook.pages[0];
    if (!page) return nothing;
    return html`
      ${workbook.pages.length > 1 ? this.#tabs(workbook.pages) : nothing}
      ${page.controls.length > 0
        ? keyed(page.id, html`<pn-controls .workbook=${workbook} .names=${page.controls} .values=${this.values} .pool=${this.#pool} @pn-values=${this.#newValues}></pn-controls>`)
        : nothing}
      ${keyed(page.id, html`<div class="pages" id="page" role=${workbook.pages.length > 1 ? "tabpanel" : nothing} aria-labelledby=${workbook.pages.length > 1 ? `tab-${page.id}` : nothing}>
        <h2 class="visually-hidden">${page.title}</h2>
        ${page.rows.map((tiles) => {
          const spans = spansOf(tiles);
          return html`<div class="row">${tiles.map((tile, index) => html`
            <pn-tile class=${tile.kind} ${cssom({ "--span": String(spans[index]) })} .tile=${tile} .pool=${this.#pool} workbook=${this.workbook}
              .controls=${valuesFor(workbook.queries[tile.query], page.controls, this.values)}></pn-tile>`)}</div>`;
        })}
      </div>`)}`;
  }

  #tabs(pages: readonly Page[]) {
    return html`
      <nav aria-label="Pages"><div role="tablist" @keydown=${this.#tabKeys}>${pages.map(({ id, title }, index) => html`
        <button role="tab" type="button" id="tab-${id}" aria-selected=${index === this.page ? "true" : "false"} aria-controls="page"
          tabindex=${index === this.page ? 0 : -1} @click=${() => (this.page = index)}>${title}</button>`)}</div></nav>`;
  }

  readonly #tabKeys = (event: KeyboardEvent): void => {
    const count = this.definition?.pages.length ?? 0;
    const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    if (step === undefined || count === 0) return;
    event.preventDefault();
    this.page = (this.page + step + count) % count;
    void this.updateComplete.then(() => this.shadowRoot?.querySelector<HTMLElement>('[role="tab"][aria-selected="true"]')?.focus());
  };
}

function signIn(): void {
  location.assign(`/sign-in?return_to=${encodeURIComponent(location.pathname)}`);
}
