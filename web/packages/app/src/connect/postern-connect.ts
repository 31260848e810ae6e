/** `<postern-connect>`: the popup before the platform's own pages. Says who connects to what for whom, and goes on at a click. */
import { LitElement, css, html, nothing } from "lit";
import { customElement, state } from "lit/decorators.js";
import { callJson, problemOf } from "../shared/api.ts";
import { baseStyles, icon, mark, platformName, problemText } from "../shared/ui.ts";
import { type Introduction, type Problem } from "../shared/wire.ts";
import { askForHandle } from "./handle.ts";

type Phase = { name: "asking" } | { name: "orphan" } | { name: "failed"; problem: Problem } | { name: "introduced"; introduction: Introduction };

@customElement("postern-connect")
export class PosternConnect extends LitElement {
  static override readonly styles = [baseStyles, css`
    :host { display: block; min-block-size: 100dvh; background: var(--pn-surface); }
    main { display: grid; gap: 1.25rem; max-inline-size: 34rem; margin-inline: auto; padding: 1.75rem 1.5rem 2rem; }
    .brand { display: flex; align-items: center; gap: 0.6rem; font-weight: 600; }
    h1 { font-size: 1.375rem; line-height: 1.25; font-weight: 640; letter-spacing: -0.01em; text-wrap: balance; }
    h2 { font-size: 0.875rem; font-weight: 600; margin-block-end: 0.5rem; }
    dl { display: grid; gap: 0; border: 1px solid var(--pn-line); border-radius: var(--pn-radius); overflow: hidden; }
    dl div { display: grid; grid-template-columns: 6.5rem 1fr; gap: 0.75rem; padding: 0.65rem 0.9rem; }
    dl div + div { border-block-start: 1px solid var(--pn-line); }
    dt { color: var(--pn-muted); font-size: 0.875rem; }
    dd { min-inline-size: 0; }
    dd span { display: block; color: var(--pn-muted); font-size: 0.875rem; overflow-wrap: anywhere; }
    .scopes { display: grid; gap: 0.5rem; }
    .scopes li { display: grid; grid-template-columns: auto 1fr; gap: 0.6rem; }
    .scopes .icon { margin-block-start: 0.25rem; color: var(--pn-accent); }
    .scopes code { display: block; color: var(--pn-muted); }
    .agreement { display: grid; gap: 0.75rem; padding: 0.9rem; border-radius: var(--pn-radius); background: var(--pn-sunken); }
    .agreement .text { max-block-size: 9rem; overflow: auto; white-space: pre-line; font-size: 0.875rem; }
    .agreement label { display: flex; gap: 0.6rem; font-weight: 550; cursor: pointer; }
    .agreement input { accent-color: var(--pn-accent); inline-size: 1.1rem; block-size: 1.1rem; margin: 0.2rem 0 0; flex: none; }
    .actions { display: flex; gap: 0.75rem; flex-wrap: wrap; }
    .actions .primary { flex: 1; }
    .asking { display: flex; gap: 0.75rem; align-items: center; color: var(--pn-muted); padding-block: 3rem; justify-content: center; }
  `];

  @state() private phase: Phase = { name: "asking" };
  @state() private agreed = false;
  @state() private starting = false;
  @state() private startProblem: Problem | undefined;

  #handle = "";

  override connectedCallback(): void {
    super.connectedCallback();
    void this.#introduce();
  }

  async #introduce(): Promise<void> {
    const handle = await askForHandle();
    if (handle === undefined) {
      this.phase = { name: "orphan" };
      return;
    }
    this.#handle = handle;
    try {
      const introduction = await callJson<Introduction>("/connect/introduce", { method: "POST", body: { handle } });
      document.title = `Connect to ${introduction.connection.displayName}`;
      this.phase = { name: "introduced", introduction };
    } catch (error) {
      this.phase = { name: "failed", problem: problemOf(error) };
    }
  }

  async #start({ agreement }: Introduction): Promise<void> {
    this.starting = true;
    this.startProblem = undefined;
    try {
      const { authorizeUrl } = await callJson<{ authorizeUrl: string }>("/connect/start", {
        method: "POST",
        body: { handle: this.#handle, ...(agreement && { agreementVersion: agreement.version }) },
      });
      const target = new URL(authorizeUrl, location.origin);
      if (target.protocol !== "https:" && target.protocol !== "http:") throw new Error("The platform's address is no web address");
      location.assign(target);
    } catch (error) {
      this.startProblem = problemOf(error);
      this.starting = false;
    }
  }

  override render() {
    return html`<main>
      <div class="brand">${mark()} <span>Postern</span></div>
      ${this.#content()}
    </main>`;
  }

  #content() {
    switch (this.phase.name) {
      case "asking":
        return html`<div class="asking" role="status"><span class="spinner"></span> Asking the dashboard what to connect</div>`;
      case "orphan":
        return html`<h1>Open this from the dashboard</h1>
          <p>This window belongs to a dashboard that asked for a connection, and it cannot reach it. Close this window, go back to the dashboard and press Connect there.</p>`;
      case "failed":
        return html`<h1>The connection cannot begin</h1>
          <div class="notice bad" role="alert">${problemText(this.phase.problem)}</div>
          <div class="actions"><button class="button" type="button" @click=${() => window.close()}>Close this window</button></div>`;
      case "introduced":
        return this.#introduction(this.phase.introduction);
    }
  }

  #introduction(introduction: Introduction) {
    const { connection, host, subject, scopes, agreement } = introduction;
    const platform = platformName(connection.platform);
    return html`
      <h1>Connect ${connection.displayName} as yourself</h1>
      <dl>
        <div><dt>You</dt><dd>${subject.name}<span>${subject.email}</span></dd></div>
        <div><dt>Platform</dt><dd>${platform}<span>${connection.endpoint}</span></dd></div>
        ${host ? html`<div><dt>Asked by</dt><dd>${host.displayName}<span>${host.origin}</span></dd></div>` : nothing}
      </dl>
      <section aria-labelledby="scopes">
        <h2 id="scopes">What it may do on your behalf</h2>
        <ul class="scopes">${scopes.map(({ name, reaches }) => html`<li>${icon("check")}<span>${reaches}<code class="mono">${name}</code></span></li>`)}</ul>
      </section>
      <p class="muted">Queries run with your rights at ${platform}, never with more. Sign in there as <b>${subject.email}</b>; another account is refused. You can revoke this at any time under “My connections”.</p>
      ${agreement ? html`
        <div class="agreement">
          <h2>Data access agreement, version ${agreement.version}</h2>
          <div class="text" tabindex="0" role="region" aria-label="Text of the agreement">${agreement.text}</div>
          <label><input type="checkbox" .checked=${this.agreed} @change=${(event: Event) => (this.agreed = (event.target as HTMLInputElement).checked)}>
            I have read the agreement and accept it</label>
        </div>` : nothing}
      ${this.startProblem ? html`<div class="notice bad" role="alert">${problemText(this.startProblem)}</div>` : nothing}
      <div class="actions">
        <button class="button primary" type="button" ?disabled=${this.starting || (agreement !== undefined && !this.agreed)} @click=${() => void this.#start(introduction)}>
          ${this.starting ? html`<span class="spinner"></span>` : nothing} Continue to ${platform}</button>
        <button class="button" type="button" @click=${() => window.close()}>Cancel</button>
      </div>`;
  }
}
