/** Panels: what the viewer shows instead of tiles, and why. */
import { type TemplateResult, html, nothing } from "lit";
import { icon, platformName, problemText } from "../shared/ui.ts";
import { type ConnectionState, type Problem, type ReconnectReason, type Session } from "../shared/wire.ts";

/** Why a connection is asked for (again), in words. */
export function reasonText(reason: ReconnectReason | undefined, connection: string): { title: string; text: string } {
  switch (reason) {
    case "expired":
      return { title: `Your connection to ${connection} has expired`, text: "The platform asks you to sign in again from time to time." };
    case "revoked":
      return { title: `Your connection to ${connection} was revoked`, text: "Someone ended this permission: you, an administrator, or the platform. Nothing is shown without it." };
    case "denied":
      return { title: `${connection} refused the connection`, text: "The platform no longer accepts the permission you gave. Connect again to give a new one." };
    case "uncertain":
      return { title: `Reconnect to ${connection}`, text: "Renewing your permission was interrupted and its outcome is not certain. To be safe it is not used any more." };
    case "scope":
      return { title: `${connection} needs one more permission`, text: "This dashboard reads something your present permission does not reach." };
    default:
      return { title: `Connect to ${connection}`, text: "This dashboard shows data under your own identity, so it needs your permission once." };
  }
}

export interface ConnectGate {
  connection: Pick<ConnectionState, "displayName" | "platform">;
  session: Session;
  reason: ReconnectReason | undefined;
  /** A popup is open and waited for. */
  waiting: boolean;
  /** Why the last attempt did not succeed. */
  problem: Problem | undefined;
  onConnect(): void;
  onFocus(): void;
  onCancel(): void;
}

/** Asks for the connection: who connects, to what, what happens next, and a button that opens the popup. */
export function connectGate(gate: ConnectGate): TemplateResult {
  const { displayName, platform } = gate.connection;
  const again = gate.reason !== undefined && gate.reason !== "none";
  const { title, text } = reasonText(gate.reason, displayName);
  return html`
    <div class="gate">
      <div class="card">
        <span class="emblem ${again ? "warn" : ""}">${icon(again ? "alert" : "link")}</span>
        <h2 tabindex="-1">${title}</h2>
        <p>${text}</p>
        <ul>
          <li>${icon("check")}<span>Signed in here as <b>${gate.session.subject.name}</b> (${gate.session.subject.email})</span></li>
          <li>${icon("check")}<span>A window opens where you sign in at ${platformName(platform)} and see what is asked for</span></li>
          <li>${icon("check")}<span>You see the rows ${platformName(platform)} lets you see; no password or token reaches this page</span></li>
        </ul>
        ${gate.problem ? html`<div class="notice bad" role="alert">${problemText(gate.problem)}</div>` : nothing}
        <div class="row-actions">
          ${gate.waiting
            ? html`
              <button class="button primary" type="button" @click=${gate.onFocus}><span class="spinner"></span> Continue in the window</button>
              <button class="button" type="button" @click=${gate.onCancel}>Cancel</button>`
            : html`<button class="button primary" type="button" @click=${gate.onConnect}>${icon("lock")} ${again ? "Reconnect" : "Connect"} to ${displayName}</button>`}
        </div>
      </div>
    </div>`;
}

/** A connection no viewer can make: an administrator has to. */
export function serviceGate(connection: string): TemplateResult {
  return html`
    <div class="gate"><div class="card">
      <span class="emblem warn">${icon("alert")}</span>
      <h2 tabindex="-1">${connection} is not available</h2>
      <p>This dashboard reads through an identity of your organization, and that connection has to be made again by an administrator.</p>
    </div></div>`;
}

/** Nothing can be shown; `action` is what may help. */
export function stopGate(problem: Problem, action: { label: string; run(): void } | undefined): TemplateResult {
  return html`
    <div class="gate"><div class="card">
      <span class="emblem bad">${icon("alert")}</span>
      <h2 tabindex="-1">${problem.title}</h2>
      ${problem.detail ? html`<p>${problem.detail}</p>` : nothing}
      ${problem.traceId ? html`<p class="muted mono">Trace ${problem.traceId}</p>` : nothing}
      ${action ? html`<div class="row-actions"><button class="button primary" type="button" @click=${() => action.run()}>${icon("retry")} ${action.label}</button></div>` : nothing}
    </div></div>`;
}
