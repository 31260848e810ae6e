import { describe, expect, test } from "vitest";
import { parseChange } from "../../packages/app/src/shared/change-feed.ts";
import { EventParser } from "../../packages/app/src/shared/sse.ts";
import { contrast, luminance, parseRgb, readable } from "../../packages/app/src/shared/theme.ts";
import { type Grant } from "../../packages/app/src/shared/wire.ts";
import { revocationText, revocationWarning } from "../../packages/app/src/portal/revocation-text.ts";

describe("EventParser", () => {
  const text = ': hello\r\n\r\nevent: grant\r\ndata: {"a":1}\r\n\r\ndata: one\ndata:two\n\nevent: empty\n\nid: 3\rdata: cr\r\rdata: open';
  const events = [{ event: "grant", data: '{"a":1}' }, { event: "message", data: "one\ntwo" }, { event: "message", data: "cr" }];

  test("Stream_InOnePiece_GivesItsEvents", () => expect(new EventParser().push(text)).toEqual(events));

  test("Stream_CutAnywhere_GivesTheSameEvents", () => {
    for (let at = 0; at <= text.length; at++) {
      const parser = new EventParser();
      expect([...parser.push(text.slice(0, at)), ...parser.push(text.slice(at))], `${at}`).toEqual(events);
    }
  });
});

describe("parseChange", () => {
  test("Grant_KnownState_IsRead", () => {
    expect(parseChange("grant", '{"connection":"lakehouse","state":"revoked"}')).toEqual({ kind: "grant", connection: "lakehouse", state: "revoked" });
  });
  test("Session_Ended_IsRead", () => expect(parseChange("session", '{"state":"ended"}')).toEqual({ kind: "session", state: "ended" }));
  test.each([["grant", '{"state":"revoked"}'], ["grant", '{"connection":"x","state":"odd"}'], ["other", "{}"], ["grant", "no json"]])("%s_%s_IsPassedOver", (event, data) => {
    expect(parseChange(event, data)).toBeUndefined();
  });
});

describe("theme", () => {
  test("Luminance_OfBlackAndWhite_IsNoughtAndOne", () => expect([luminance(0, 0, 0), luminance(255, 255, 255)]).toEqual([0, 1]));
  test("Accent_ReadableAlready_Stays", () => expect(readable([122, 31, 162], [255, 255, 255], [24, 33, 43])).toEqual([122, 31, 162]));
  test("Accent_TooDarkOnDark_IsDrawnToTheInk", () => {
    const fitted = readable([122, 31, 162], [23, 30, 38], [232, 237, 242]);
    expect(contrast(fitted, [23, 30, 38])).toBeGreaterThanOrEqual(4.5);
    expect(contrast([122, 31, 162], [23, 30, 38])).toBeLessThan(4.5);
  });
  test("ParseRgb_OtherNotations_AreLeftAlone", () => {
    expect(parseRgb("rgb(1, 2, 3)")).toEqual([1, 2, 3]);
    expect(parseRgb("color(display-p3 1 0 0)")).toBeUndefined();
  });
});

describe("revocation", () => {
  const now = new Date(2026, 0, 1, 12, 0);
  const until = new Date(2026, 0, 1, 12, 40).toISOString();
  const grant = { state: "revoked", canRevokeAtProvider: false, accessTokenExpiresAt: until } as Grant;

  test("Grant_Standing_HasNoOutcome", () => expect(revocationText({ ...grant, state: "active" })).toBeUndefined());
  test("Provider_ThatRevoked_IsSaidSo", () => expect(revocationText({ ...grant, revocation: { status: "revoked" } })).toMatchObject({ tone: "good", title: "Revoked at the provider" }));
  test("Provider_ThatCouldNotBeTold_LeavesTheRestToThePerson", () => {
    const text = revocationText({ ...grant, revocation: { status: "gave-up" } });
    expect(text).toMatchObject({ tone: "warn", title: "The provider could not be told" });
    expect(text!.detail).toMatch(/at the provider yourself/);
  });
  test("Provider_NotHeardOf_IsPending", () => expect(revocationText({ ...grant, revocation: { status: "pending" } })?.title).toMatch(/pending/));
  test("Provider_WithoutRevocation_NamesTheTokensLastMinute", () => {
    const text = revocationText({ ...grant, revocation: { status: "provider-cannot-revoke", accessTokenLivesUntil: until } }, now);
    expect(text).toMatchObject({ tone: "warn" });
    expect(text!.title).toMatch(/cannot revoke; the last access token lives until 12:40\sPM/);
    expect(revocationWarning(grant, now)).toMatch(/12:40/);
  });
});
