/** `<postern-portal>`: who I am here, which permissions I gave, how to take them back, and my workbooks. */
import { LitElement, type TemplateResult, html, nothing } from "lit";
import { customElement, query, state } from "lit/decorators.js";
import { repeat } from "lit/directives/repeat.js";
import { call, callJson, problemOf } from "../shared/api.ts";
import { openChangeFeed } from "../shared/change-feed.ts";
import { ConnectWindow } from "../shared/connect-window.ts";
import { baseStyles, icon, mark, problemText } from "../shared/ui.ts";
import { type ConnectionState, type Grant, type Problem, type Session, problems } from "../shared/wire.ts";
import { type ConfirmDialog } from "./confirm-dialog.ts";
import "./confirm-dialog.ts";
import { type CardAction } from "./connection-card.ts";
import "./connection-card.ts";
import { portalStyles } from "./portal-styles.ts";
import { revocationWarning } from "./revocation-text.ts";

type Phase = { name: "loading" } | { name: "signed-out"; title: string } | { name: "failed"; problem: Problem } | { name: "ready" };

@customElement("postern-portal")
export class PosternPortal extends LitElement {
  static override readonly styles = [baseStyles, portalStyles];

  @state() private phase: Phase = { name: "loading" };
  @state() private session: Session | undefined;
  @state() private grants: Grant[] = [];
  @state() private busy = new Set<string>();
  @state() private troubles = new Map<string, Problem>();
  @state() private asked: Grant | undefined;
  @state() private status = "";
  @query("pn-confirm") private dialog!: ConfirmDialog;

  #closeFeed: (() => void) | undefined;

  override connectedCallback(): void {
    super.connectedCallback();
    void this.#load();
  }

  override disconnectedCallback(): void {
    super.disconnectedCallback();
    this.#closeFeed?.();
  }

  async #load(): Promise<void> {
    try {
      await this.#refresh();
      this.phase = { name: "ready" };
      this.#closeFeed?.();
      this.#closeFeed = openChangeFeed({
        onChange: (change) => (change.kind === "session" ? this.#signedOut("Your session was ended") : void this.#refreshQuietly()),
        onReopened: () => void this.#refreshQuietly(),
        onUnauthenticated: () => this.#signedOut("You are signed out"),
      });
    } catch (error) {
      const problem = problemOf(error);
      if (problem.status === 401) this.#signedOut("Sign in to see your connections");
      else this.phase = { name: "failed", problem };
    }
  }

  async #refresh(): Promise<void> {
    const [session, { grants }] = await Promise.all([callJson<Session>("/api/session"), callJson<{ grants: Grant[] }>("/api/grants")]);
    this.session = session;
    this.grants = grants;
  }

  async #refreshQuietly(): Promise<void> {
    try {
      await this.#refresh();
    } catch (error) {
      if (problemOf(error).status === 401) this.#signedOut("You are signed out");
    }
  }

  #signedOut(title: string): void {
    this.#closeFeed?.();
    this.session = undefined;
    this.grants = [];
    this.phase = { name: "signed-out", title };
  }

  /** The grant that matters for a connection: the newest, which may be one that was just revoked. */
  #grantOf(connection: string): Grant | undefined {
    return this.grants
      .filter((grant) => grant.connection.id === connection)
      .sort((a, b) => Number(b.state === "active") - Number(a.state === "active") || b.grantedAt.localeCompare(a.grantedAt))[0];
  }

  async #connect(connection: ConnectionState): Promise<void> {
    const connecting = ConnectWindow.open(connection.id); // Inside the click, or the popup is blocked.
    await this.#while(connection.id, async () => {
      const done = await connecting.outcome;
      if (done.outcome === "connected") this.status = `Connected to ${connection.displayName}.`;
      else if (done.outcome === "failed") this.#trouble(connection.id, done.problem);
      else if (done.outcome === "blocked") {
        this.#trouble(connection.id, { type: problems.unreadable, title: "The browser blocked the window", status: 0, detail: "Allow pop-ups for this page and try again." });
      }
      await this.#refreshQuietly();
    });
  }

  async #revoke(connection: ConnectionState, grant: Grant): Promise<void> {
    this.asked = grant;
    if (!(await this.dialog.ask())) return;
    await this.#while(connection.id, async () => {
      try {
        const revoked = await callJson<Grant>(`/api/grants/${encodeURIComponent(grant.id)}`, { method: "DELETE" });
        this.grants = this.grants.map((each) => (each.id === grant.id ? revoked : each));
        this.session = {
          ...this.session!,
          connections: this.session!.connections.map((each) => (each.id === connection.id ? { ...each, state: "not-connected" as const } : each)),
        };
        this.status = `Revoked ${connection.displayName}.`;
      } catch (error) {
        this.#trouble(connection.id, problemOf(error));
      }
    });
  }

  async #while(connection: string, work: () => Promise<void>): Promise<void> {
    this.troubles = new Map([...this.troubles].filter(([id]) => id !== connection));
    this.busy = new Set([...this.busy, connection]);
    try {
      await work();
    } finally {
      this.busy = new Set([...this.busy].filter((id) => id !== connection));
    }
  }

  #trouble(connection: string, problem: Problem): void {
    this.troubles = new Map([...this.troubles, [connection, problem]]);
  }

  readonly #signOut = async (): Promise<void> => {
    try {
      await call("/sign-out", { method: "POST", redirectIsDone: true });
      this.#signedOut("You are signed out");
    } catch (error) {
      this.phase = { name: "failed", problem: problemOf(error) };
    }
  };

  override render(): TemplateResult {
    const { session } = this;
    return html`
      <header class="bar">
        <div class="inner">
          <a class="brand" href="/">${mark()} <span>${session?.tenant.displayName ?? "Postern"}</span></a>
          ${session ? html`
            <div class="me">
              <p><b>${session.subject.name}</b><span>${session.subject.email}</span></p>
              <button class="button small" type="button" @click=${this.#signOut}>Sign out</button>
            </div>` : nothing}
        </div>
      </header>
      <main>
        ${this.#content()}
        <p class="visually-hidden" role="status">${this.status}</p>
      </main>
      <pn-confirm heading="Revoke ${this.asked?.connection.displayName ?? ""}?" confirm="Revoke">
        <p>Dashboards stop showing your data from ${this.asked?.connection.displayName ?? ""} at once, in every window. Running queries are stopped.</p>
        <p>${this.asked ? revocationWarning(this.asked) : ""}</p>
      </pn-confirm>`;
  }

  #content() {
    switch (this.phase.name) {
      case "loading":
        return html`<div class="center muted" role="status"><span class="spinner"></span> Loading</div>`;
      case "signed-out":
        return html`<div class="center card"><h1>${this.phase.title}</h1><a class="button primary" href="/sign-in?return_to=%2F">Sign in</a></div>`;
      case "failed":
        return html`<div class="center card"><div class="notice bad" role="alert">${problemText(this.phase.problem)}</div>
          <button class="button" type="button" @click=${() => void this.#load()}>${icon("retry")} Try again</button></div>`;
      case "ready":
        return html`${this.#connections(this.session!)}${this.#workbooks(this.session!)}`;
    }
  }

  #connections(session: Session) {
    return html`
      <section aria-labelledby="connections">
        <div class="lead">
          <h1 id="connections">My connections</h1>
          <p class="muted">Data platforms you let dashboards read as you. Each works only with your permission, and you can take it back here.</p>
        </div>
        ${session.connections.length === 0 ? html`<p class="card nothing muted">There are no connections for you.</p>` : nothing}
        <div class="cards">${repeat(session.connections, ({ id }) => id, (connection) => {
          const grant = this.#grantOf(connection.id);
          return html`<pn-connection .connection=${connection} .grant=${grant} .problem=${this.troubles.get(connection.id)} ?busy=${this.busy.has(connection.id)}
            @pn-action=${({ detail }: CustomEvent<CardAction>) => (detail === "connect" ? this.#connect(connection) : grant && this.#revoke(connection, grant))}></pn-connection>`;
        })}</div>
      </section>`;
  }

  #workbooks(session: Session) {
    return html`
      <section aria-labelledby="workbooks">
        <div class="lead"><h2 id="workbooks">Workbooks</h2></div>
        ${session.workbooks.length === 0
          ? html`<p class="card nothing muted">No workbook is published for you.</p>`
          : html`<ul class="books">${session.workbooks.map(({ id, title }) => html`
              <li><a class="card" href="/workbooks/${encodeURIComponent(id)}">${icon("chart")}<span>${title}</span></a></li>`)}</ul>`}
      </section>`;
  }
}
