/** Where the viewer's session comes from: a code from the host page inside a frame, the portal's cookie at top level. */
import { callJson, isAbort, problemOf } from "../shared/api.ts";
import { type Session } from "../shared/wire.ts";
import { type HostLink } from "./host-link.ts";

export interface SessionSource {
  /**
   * Opens a session, or the present one.
   * @throws ProblemError when there is none to be had.
   */
  open(): Promise<Session>;
}

/** Codes a frame tries before it gives up; a code may run out while the machine sleeps. */
const mostCodes = 3;

/**
 * A frame never trusts a cookie it finds: the person at the host page may have changed. Each opening redeems a fresh code.
 */
export function frameSession(link: HostLink): SessionSource {
  return {
    async open() {
      for (let tries = 1; ; tries++) {
        const redeemable = await link.requestCode();
        try {
          return await callJson<Session>("/embed/sessions", { method: "POST", body: redeemable });
        } catch (error) {
          const refused = [400, 401, 409].includes(problemOf(error).status);
          if (isAbort(error) || !refused || tries >= mostCodes) throw error;
        }
      }
    },
  };
}

export const portalSession: SessionSource = {
  open: () => callJson<Session>("/api/session"),
};
