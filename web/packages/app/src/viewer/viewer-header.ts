/** Title of the workbook, and whose rows it shows. */
import { type TemplateResult, html, nothing } from "lit";
import { grantWarning } from "../shared/grant-warning.ts";
import { icon } from "../shared/ui.ts";
import { type ConnectionState, type Session } from "../shared/wire.ts";

export function viewerHeader(title: string, session: Session | undefined, connection: ConnectionState | undefined): TemplateResult {
  const warning = connection && grantWarning(connection);
  return html`
    <header class="top">
      <h1>${title}</h1>
      ${session ? html`
        <div class="who">
          <i class="seal">${icon(connection?.identity === "service" ? "link" : "person")}</i>
          <p><b>${session.subject.name}</b><span>${whose(connection, session)}</span></p>
        </div>` : nothing}
    </header>
    ${warning ? html`<p class="grant-warning" role="status">${warning}</p>` : nothing}`;
}

/** Under which identity the queries run, in words. */
function whose(connection: ConnectionState | undefined, session: Session): string {
  if (!connection || connection.state !== "connected") return session.subject.email;
  if (connection.identity === "service") return `Filtered for you · ${connection.displayName}`;
  return `Querying ${connection.displayName} as ${connection.principal ?? session.subject.email}`;
}
