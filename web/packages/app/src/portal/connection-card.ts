/** `<pn-connection>`: one connection of a person, with the permission behind it. */
import { LitElement, css, html, nothing } from "lit";
import { customElement, property } from "lit/decorators.js";
import { grantWarning } from "../shared/grant-warning.ts";
import { clock, moment, relative } from "../shared/moments.ts";
import { baseStyles, icon, platformName, problemText } from "../shared/ui.ts";
import { type ConnectionState, type Grant, type Problem } from "../shared/wire.ts";
import { revocationText } from "./revocation-text.ts";

/** What the card offers to do; the portal listens. */
export type CardAction = "connect" | "revoke";

@customElement("pn-connection")
export class ConnectionCard extends LitElement {
  static override readonly styles = [baseStyles, css`
    :host { display: block; }
    article { display: grid; gap: 1rem; padding: 1.25rem 1.4rem; }
    header { display: flex; align-items: start; justify-content: space-between; gap: 1rem; }
    h3 { font-size: 1.0625rem; font-weight: 620; line-height: 1.3; }
    h4 { font-size: 0.8125rem; font-weight: 600; color: var(--pn-muted); margin-block-end: 0.4rem; }
    dl { display: grid; grid-template-columns: repeat(auto-fit, minmax(11rem, 1fr)); gap: 0.75rem 1.25rem; }
    dt { font-size: 0.8125rem; color: var(--pn-muted); }
    dd { font-size: 0.9375rem; overflow-wrap: anywhere; }
    .scopes { display: grid; gap: 0.35rem; font-size: 0.9rem; }
    .scopes li { display: flex; gap: 0.5rem; }
    .scopes .icon { margin-block-start: 0.25rem; color: var(--pn-good); }
    .scopes code { color: var(--pn-muted); }
    footer { display: flex; flex-wrap: wrap; gap: 0.75rem; }
  `];

  @property({ attribute: false }) connection!: ConnectionState;
  @property({ attribute: false }) grant: Grant | undefined;
  @property({ attribute: false }) problem: Problem | undefined;
  @property({ type: Boolean }) busy = false;

  override render() {
    const { connection, grant } = this;
    const outcome = grant && revocationText(grant);
    const warning = grantWarning(connection);
    const personal = connection.identity !== "service";
    return html`
      <article class="card" aria-labelledby="name" aria-busy=${this.busy ? "true" : "false"}>
        <header>
          <div><h3 id="name">${connection.displayName}</h3><p class="muted">${platformName(connection.platform)}</p></div>
          ${this.#badge()}
        </header>
        ${personal ? nothing : html`<p class="muted">Runs under an identity of your organization; rows are filtered by your attributes. There is nothing of yours to revoke.</p>`}
        ${outcome ? html`<div class="notice ${outcome.tone}" role="status"><strong>${outcome.title}</strong><span>${outcome.detail}</span></div>` : nothing}
        ${warning && !outcome ? html`<div class="notice warn" role="status">${warning}</div>` : nothing}
        ${grant && !outcome ? this.#details(grant) : nothing}
        ${this.problem ? html`<div class="notice bad" role="alert">${problemText(this.problem)}</div>` : nothing}
        ${personal ? html`<footer>${this.#actions(outcome !== undefined)}</footer>` : nothing}
      </article>`;
  }

  #badge() {
    switch (this.connection.state) {
      case "connected": return html`<span class="badge good">Connected</span>`;
      case "reconnect": return html`<span class="badge warn">Reconnect needed</span>`;
      default: return html`<span class="badge">Not connected</span>`;
    }
  }

  #details(grant: Grant) {
    const item = (term: string, value: unknown) => html`<div><dt>${term}</dt><dd>${value}</dd></div>`;
    return html`
      <dl>
        ${item("Connected as", grant.principal)}
        ${item("Permission given", html`<time datetime=${grant.grantedAt}>${moment(grant.grantedAt)}</time>`)}
        ${item("Last used", grant.lastUsedAt ? html`<time datetime=${grant.lastUsedAt} title=${moment(grant.lastUsedAt)}>${relative(grant.lastUsedAt)}</time>` : "Not yet")}
        ${grant.accessTokenExpiresAt ? item("Access token ends", html`<time datetime=${grant.accessTokenExpiresAt}>${clock(grant.accessTokenExpiresAt)}</time> <span class="muted">(renewed while in use)</span>`) : nothing}
        ${grant.endsAt ? item("Connection ends", html`<time datetime=${grant.endsAt}>${moment(grant.endsAt)}</time>`) : nothing}
      </dl>
      ${grant.scopes.length > 0 ? html`
        <div><h4>What it reaches</h4>
          <ul class="scopes">${grant.scopes.map(({ name, reaches }) => html`<li>${icon("check")}<span>${reaches} <code class="mono">${name}</code></span></li>`)}</ul>
        </div>` : nothing}`;
  }

  #actions(ended: boolean) {
    const { state } = this.connection;
    const fire = (action: CardAction) => () => this.dispatchEvent(new CustomEvent<CardAction>("pn-action", { detail: action }));
    const connected = state === "connected";
    return html`
      ${connected ? nothing : html`
        <button class="button primary" type="button" ?disabled=${this.busy} @click=${fire("connect")}>${icon("lock")} ${state === "reconnect" ? "Reconnect" : "Connect"}</button>`}
      ${this.grant && !ended ? html`
        <button class="button danger" type="button" ?disabled=${this.busy} @click=${fire("revoke")}>Revoke</button>` : nothing}`;
  }
}
