import { createHash } from "node:crypto";
import { describe, expect, test, vi } from "vitest";
import { type CodeFetchWorld, fetchCode, pauseAfter } from "../../packages/embed/src/code-fetch.ts";
import { isAcceptableOffer, makeChallenge, parseOrigins } from "../../packages/app/src/viewer/host-link.ts";

const parent = {};
const origins = ["http://127.0.0.1:7320"];
const offer = { source: parent, origin: origins[0]!, data: { postern: "port", version: 1 }, ports: [{}] } as never;

describe("isAcceptableOffer", () => {
  test("Offer_FromTheParentAtANamedOrigin_IsTaken", () => expect(isAcceptableOffer(offer, parent, origins)).toBe(true));

  test.each<[string, object]>([
    ["another window", { source: {} }],
    ["no window", { source: null }],
    ["another origin", { origin: "http://127.0.0.1:7321" }],
    ["a prefix of an origin", { origin: "http://127.0.0.1:732" }],
    ["an opaque origin", { origin: "null" }],
    ["another version", { data: { postern: "port", version: 2 } }],
    ["another message", { data: { postern: "code" } }],
    ["no message", { data: null }],
    ["no port", { ports: [] }],
    ["two ports", { ports: [{}, {}] }],
  ])("Offer_With%s_IsRefused", (_, change) => expect(isAcceptableOffer(Object.assign({}, offer, change), parent, [...origins, "null"])).toBe(false));
});

test("ParseOrigins_Anything_KeepsExactOriginsOnly", () => {
  expect(parseOrigins(" https://a.example  https://b.example:8443 * null https://c.example/path HTTPS://D.example ")).toEqual(["https://a.example", "https://b.example:8443"]);
});

test("MakeChallenge_Twice_GivesFreshNoncesAndTheirHashes", async () => {
  const [first, second] = [await makeChallenge(), await makeChallenge()];
  expect(first.nonce).toMatch(/^[\w-]{43}$/);
  expect(first.nonce).not.toBe(second.nonce);
  expect(first.challenge).toBe(createHash("sha256").update(first.nonce, "ascii").digest("base64url"));
});

describe("fetchCode", () => {
  const good = () => Response.json({ code: "c", expiresIn: 60 });

  /** Answers in order; pauses at once and remembers for how long. */
  function world(...answers: (() => Response)[]) {
    const pauses: number[] = [];
    const asked: RequestInit[] = [];
    const made: CodeFetchWorld = {
      fetch: (_, init) => {
        asked.push(init!);
        return new Promise((resolve) => resolve(answers[asked.length - 1]!()));
      },
      pause: (seconds, signal) => {
        pauses.push(seconds);
        signal.throwIfAborted();
        return Promise.resolve();
      },
    };
    return { made, pauses, asked };
  }

  test("Mint_FailsInEveryWay_GoesOnUntilItSucceeds", async () => {
    const { made, pauses, asked } = world(
      () => { throw new TypeError("offline"); }, () => new Response(null, { status: 503 }), () => Response.json({ no: "code" }), () => new Response("<html>"), good);
    const failures = vi.fn();
    expect(await fetchCode("/codes", { challenge: "x", workbook: "w" }, new AbortController().signal, failures, made)).toEqual({ code: "c", expiresIn: 60 });
    expect(failures.mock.calls.map(([attempt]) => (attempt as { status: number }).status)).toEqual([0, 503, 200, 0]);
    expect(pauses.length).toBe(4);
    expect(asked[0]).toMatchObject({ method: "POST", credentials: "same-origin", body: '{"challenge":"x","workbook":"w"}' });
    expect(asked[0]!.headers).toMatchObject({ "X-Requested-With": "postern" });
  });

  test("Mint_Aborted_Stops", async () => {
    const abort = new AbortController();
    const { made } = world(() => { abort.abort(); return new Response(null, { status: 503 }); });
    await expect(fetchCode("/codes", { challenge: "x", workbook: "w" }, abort.signal, () => {}, made)).rejects.toMatchObject({ name: "AbortError" });
  });

  test("Pause_Grows_AndHasAnEnd", () => {
    const still = () => 0;
    expect([1, 2, 3, 20].map((failures) => pauseAfter(failures, 503, still))).toEqual([1, 2, 4, 60]);
    expect(pauseAfter(1, 401, still), "a person has to act first").toBe(8);
    expect(pauseAfter(20, 503, () => 1)).toBe(60);
    expect(pauseAfter(1, 503, () => 1)).toBe(1.25);
  });
});
