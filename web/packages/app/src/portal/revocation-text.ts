/** What a revocation did, said as it is: a token that still lives is not called dead. */
import { clock } from "../shared/moments.ts";
import { type Grant } from "../shared/wire.ts";

export interface OutcomeText {
  tone: "good" | "warn";
  title: string;
  detail: string;
}

/** Outcome for a grant that was revoked or is being revoked; `undefined` for one that stands. */
export function revocationText(grant: Grant, now?: Date): OutcomeText | undefined {
  const { revocation } = grant;
  const stopped = "No query runs under this permission any more, and its tokens are no longer kept here.";
  switch (revocation?.status) {
    case "revoked":
      return { tone: "good", title: "Revoked at the provider", detail: stopped };
    case "pending":
      return {
        tone: "warn",
        title: "Revocation at the provider is pending",
        detail: "No query runs under this permission any more. The provider has not answered yet; it is asked again until it has.",
      };
    case "provider-cannot-revoke": {
      const until = revocation.accessTokenLivesUntil;
      const left = until ? `the last access token lives until ${clock(until, now)}` : "the last access token lives until it expires";
      return { tone: "warn", title: `This provider cannot revoke; ${left}`, detail: stopped };
    }
    case "gave-up":
      return {
        tone: "warn",
        title: "The provider could not be told",
        detail: `${stopped} The connection leads elsewhere now or is gone, so take the permission back at the provider yourself.`,
      };
    case undefined:
      return undefined;
  }
}

/** What to expect before revoking. */
export function revocationWarning(grant: Pick<Grant, "canRevokeAtProvider" | "accessTokenExpiresAt">, now?: Date): string {
  if (grant.canRevokeAtProvider) return "The permission is also taken back at the provider.";
  return grant.accessTokenExpiresAt
    ? `This provider has no way to take a permission back: its last access token stays valid there until ${clock(grant.accessTokenExpiresAt, now)}, but it is deleted here at once.`
    : "This provider has no way to take a permission back; its tokens are deleted here at once.";
}
