/** Words for a connection that still works and soon may not. */
import { clock, moment } from "./moments.ts";
import { type ConnectionState } from "./wire.ts";

export function grantWarning(connection: Pick<ConnectionState, "warning" | "endsAt" | "accessTokenExpiresAt">, now?: Date): string | undefined {
  switch (connection.warning) {
    case "ends-soon":
      return connection.endsAt ? `This connection ends on ${moment(connection.endsAt)}. Connect again before, in the portal, to go on without a break.` : undefined;
    case "cannot-renew":
      return connection.accessTokenExpiresAt ? `This connection works until ${clock(connection.accessTokenExpiresAt, now)}. Then it has to be connected again.` : undefined;
    case "renewal-failing":
      return "The sign-in service does not answer at the moment. This connection still works, and is tried again.";
    default:
      return undefined;
  }
}
