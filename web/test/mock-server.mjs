// Postern's HTTP contract, as far as the browser sees it, with real headers. Run it alone to look around: node test/mock-server.mjs
import { createHash, randomUUID } from "node:crypto";
import { readFile } from "node:fs/promises";
import { createServer } from "node:http";
import { fileURLToPath } from "node:url";
import { arrowOf, scopes, workbook } from "./fixtures.mjs";
import { bodyOf, send, startHost } from "./mock-host.mjs";

const dist = new URL("../dist/", import.meta.url);
const types = { js: "text/javascript", css: "text/css", map: "application/json" };
const subject = { id: "s-ana", name: "Ana Ortega", email: "ana@skyline.example" };

const policy = (ancestors) => "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; font-src 'self'; "
  + `base-uri 'none'; form-action 'self'; frame-ancestors ${ancestors}; require-trusted-types-for 'script'; trusted-types lit-html`;

/** Starts both servers on free ports. The returned state is also the test's handle on faults and logs. */
export async function startMock() {
  const state = {
    posternOrigin: "", hostOrigin: "",
    codes: new Map(), sessions: new Map(), connects: new Map(), streams: new Set(),
    mints: [], mintFailures: 0,
    queries: [], cancelled: [], dropped: [], redeemed: [], confirmed: [],
    connection: { state: "not-connected", reason: "none" },
    canRevoke: false, grant: undefined, failing: true, agreement: { version: "2025-01", text: "You may use this data for your own work.\nYou may not pass it on." },
    emit(event, data) {
      for (const stream of this.streams) stream.write(`event: ${event}\ndata: ${JSON.stringify(data)}\n\n`);
    },
  };
  const manifest = JSON.parse(await readFile(new URL("manifest.json", dist), "utf8"));
  const postern = createServer((request, response) => {
    answer(state, manifest, request, response).catch((error) => {
      console.error(error);
      response.destroy();
    });
  });
  const host = startHost(state);
  const portOf = (server) => new Promise((resolve) => server.listen(0, () => resolve(server.address().port)));
  state.posternOrigin = `http://localhost:${await portOf(postern)}`;
  state.hostOrigin = `http://127.0.0.1:${await portOf(host)}`;
  state.close = () => {
    for (const server of [postern, host]) {
      server.closeAllConnections();
      server.close();
    }
  };
  return state;
}

async function answer(state, manifest, request, response) {
  const url = new URL(request.url, state.posternOrigin);
  const { pathname } = url;
  const { method } = request;
  if (pathname.startsWith("/assets/")) return asset(response, pathname);
  if (method === "GET") {
    if (pathname === "/") return shell(response, manifest, "portal", "<postern-portal></postern-portal>");
    if (pathname === "/connect") return shell(response, manifest, "connect", "<postern-connect></postern-connect>");
    if (pathname.startsWith("/embed/")) return shell(response, manifest, "viewer", `<postern-viewer workbook="flight_delays" embed-origins="${state.hostOrigin}"></postern-viewer>`, state.hostOrigin);
    if (pathname.startsWith("/workbooks/")) return shell(response, manifest, "viewer", `<postern-viewer workbook="flight_delays"></postern-viewer>`);
    if (pathname === "/oauth/callback") return callback(state, response, url);
    if (pathname === "/sign-in") return signIn(state, response, url);
  }
  if (request.headers["x-postern-csrf"] !== "1") return problem(response, 403, "csrf", "Refused");
  const origin = request.headers.origin;
  if (origin !== undefined && origin !== state.posternOrigin) return problem(response, 403, "csrf", "Refused");
  if (pathname === "/embed/sessions") return redeem(state, request, response);
  if (pathname.startsWith("/connect/")) return popup(state, request, response, pathname);
  const session = sessionOf(state, request);
  if (!session) return problem(response, 401, "unauthenticated", "Sign in");
  return api(state, session, request, response, pathname, method);
}

async function api(state, session, request, response, pathname, method) {
  if (pathname === "/sign-out") return state.sessions.delete(session.id), send(response, 303, "text/plain", "", { Location: "/" });
  if (pathname === "/api/session") return json(response, 200, sessionBody(state, session));
  if (pathname === "/api/changes") return changes(state, request, response);
  if (pathname === "/api/grants") return json(response, 200, { grants: state.grant ? [state.grant] : [] });
  if (pathname.startsWith("/api/grants/")) return revoke(state, response);
  if (pathname === "/api/connects") {
    const connect = { id: `c-${state.connects.size + 1}`, handle: randomUUID(), session: session.id, confirmation: randomUUID() };
    state.connects.set(connect.id, connect);
    return json(response, 201, { id: connect.id, handle: connect.handle, popup: "/connect" });
  }
  const confirm = /^\/api\/connects\/([^/]+)\/confirm$/.exec(pathname);
  if (confirm) {
    const connect = state.connects.get(confirm[1]);
    const { confirmation } = JSON.parse(await bodyOf(request));
    if (connect?.session !== session.id || connect.confirmation !== confirmation) return problem(response, 403, "forbidden", "Not yours");
    state.confirmed.push(connect.id);
    connectDone(state);
    return json(response, 200, { connection: "lakehouse", state: "connected", principal: subject.email });
  }
  if (pathname === "/api/workbooks/flight_delays") return json(response, 200, workbook);
  const query = /^\/api\/workbooks\/flight_delays\/queries\/([^/]+)$/.exec(pathname);
  if (query && method === "POST") return runQuery(state, query[1], request, response);
  if (pathname.startsWith("/api/queries/") && method === "DELETE") {
    state.cancelled.push(pathname.split("/").at(-1));
    return send(response, 202, "text/plain", "");
  }
  return problem(response, 404, "not-found", "Not found");
}

/** What follows a confirmed connect: a grant in use. */
export function connectDone(state) {
  const now = Date.now();
  state.connection = { state: "connected", principal: subject.email };
  state.grant = {
    id: randomUUID(), connection: { id: "lakehouse", displayName: "Flight lakehouse", platform: "databricks" }, state: "active", principal: subject.email, scopes,
    grantedAt: new Date(now - 3_600_000).toISOString(), lastUsedAt: new Date(now - 120_000).toISOString(), accessTokenExpiresAt: new Date(now + 2_400_000).toISOString(),
    canRevokeAtProvider: state.canRevoke,
  };
}

async function runQuery(state, name, request, response) {
  const body = JSON.parse(await bodyOf(request));
  const id = `q-${state.queries.length + 1}`;
  const accept = request.headers.accept;
  state.queries.push({ id, name, accept, ...body });
  response.on("close", () => response.writableFinished || state.dropped.push(id));
  if (state.connection.state !== "connected") return problem(response, 409, "reconnect-required", "Connect again", { connection: "lakehouse", reason: "expired" });
  if (name === "failing" && state.failing) return problem(response, 503, "platform-unavailable", "The platform does not answer", { detail: "It was asked three times." }, { "Retry-After": "5" });
  if (accept === "text/csv") return send(response, 200, "text/csv", "bucket,state\r\n2001-01-01,CA\r\n", { "X-Postern-Query": id });
  const stream = arrowOf(name);
  response.writeHead(200, { "Content-Type": "application/vnd.apache.arrow.stream", "X-Postern-Query": id, "Server-Timing": "warehouse;dur=12" });
  if (name === "slow") return void response.write(stream.subarray(0, 16)); // Headers and a first piece, then nothing.
  response.end(name === "cut" ? stream.subarray(0, stream.length - 8) : stream);
}

function revoke(state, response) {
  const { accessTokenExpiresAt } = state.grant;
  state.grant = {
    ...state.grant, state: "revoked",
    revocation: state.canRevoke ? { status: "revoked" } : { status: "provider-cannot-revoke", accessTokenLivesUntil: accessTokenExpiresAt },
  };
  state.connection = { state: "reconnect", reason: "revoked" };
  state.emit("grant", { connection: "lakehouse", state: "revoked" });
  json(response, 200, state.grant);
}

async function redeem(state, request, response) {
  const { code, nonce } = JSON.parse(await bodyOf(request));
  const bound = state.codes.get(code);
  state.codes.delete(code);
  const challenge = createHash("sha256").update(nonce, "ascii").digest("base64url");
  if (bound?.challenge !== challenge) return problem(response, 400, "invalid-request", "The code is not valid");
  state.redeemed.push(code);
  const session = { id: randomUUID(), kind: "frame" };
  state.sessions.set(session.id, session);
  json(response, 201, sessionBody(state, session), { "Set-Cookie": `__Host-postern-frame=${session.id}; Path=/; HttpOnly; Secure; SameSite=None; Partitioned` });
}

function signIn(state, response, url) {
  const session = { id: randomUUID(), kind: "portal" };
  state.sessions.set(session.id, session);
  send(response, 303, "text/plain", "", { Location: url.searchParams.get("return_to") ?? "/", "Set-Cookie": `__Host-postern=${session.id}; Path=/; HttpOnly; Secure; SameSite=Lax` });
}

function sessionOf(state, request) {
  const cookies = Object.fromEntries((request.headers.cookie ?? "").split("; ").map((pair) => pair.split("=")));
  return state.sessions.get(cookies["__Host-postern-frame"]) ?? state.sessions.get(cookies["__Host-postern"]);
}

function sessionBody(state, session) {
  return {
    kind: session.kind, subject, tenant: { id: "skyline", displayName: "Skyline Analytics" }, ...(session.kind === "frame" && { workbook: "flight_delays" }),
    connections: [{ id: "lakehouse", displayName: "Flight lakehouse", platform: "databricks", identity: "user", canRevokeAtProvider: state.canRevoke, scopes, ...state.connection }],
    workbooks: [{ id: "flight_delays", title: "Flight delays" }], expiresIn: 3600,
  };
}

async function popup(state, request, response, pathname) {
  const { handle, agreementVersion } = JSON.parse(await bodyOf(request));
  const connect = [...state.connects.values()].find((each) => each.handle === handle);
  if (!connect) return problem(response, 404, "not-found", "This connect is over");
  if (pathname === "/connect/introduce") {
    return json(response, 200, {
      connection: { displayName: "Flight lakehouse", platform: "databricks", endpoint: "https://workspace.example" },
      host: { displayName: "Skyline", origin: state.hostOrigin }, subject, scopes, agreement: state.agreement,
    });
  }
  if (agreementVersion !== state.agreement.version) return problem(response, 400, "invalid-request", "Accept the agreement");
  json(response, 200, { authorizeUrl: `${state.hostOrigin}/authorize?connect=${connect.id}` }, { "Set-Cookie": `__Host-postern-connect=${connect.id}; Path=/; HttpOnly; Secure; SameSite=Lax` });
}

function callback(state, response, url) {
  const connect = state.connects.get(url.searchParams.get("connect"));
  const other = url.searchParams.get("as") !== "ana";
  html(response, "Connecting", `<main id="connect-result" data-outcome="${other ? "mismatch" : "ready"}" data-connect="${other ? "" : connect.id}" data-confirmation="${other ? "" : connect.confirmation}">
    <h1>${other ? "Another account signed in" : "Almost done"}</h1><p>${other ? "You are ana@skyline.example here, but ben@skyline.example signed in at the platform. Nothing was stored." : "Finishing the connection."}</p></main>
    <script type="module" src="/assets/connect-result.js"></script>`, "'none'");
}

function changes(state, request, response) {
  response.writeHead(200, { "Content-Type": "text/event-stream" });
  response.write(": hello\n\n");
  state.streams.add(response);
  request.on("close", () => state.streams.delete(response));
}

async function asset(response, pathname) {
  try {
    const body = await readFile(new URL(`.${pathname}`, dist));
    send(response, 200, types[pathname.split(".").at(-1)] ?? "text/plain", body, { "Access-Control-Allow-Origin": "*", "Cross-Origin-Resource-Policy": "cross-origin" });
  } catch {
    send(response, 404, "text/plain", "");
  }
}

function shell(response, manifest, entry, body, ancestors = "'none'") {
  const { file, css, preload } = manifest[entry];
  html(response, "Postern", body, ancestors, [
    ...css.map((sheet) => `<link rel="stylesheet" href="/${sheet}">`),
    ...preload.map((chunk) => `<link rel="modulepreload" href="/${chunk}">`),
    `<script type="module" src="/${file}"></script>`,
  ].join(""));
}

function html(response, title, body, ancestors, head = "") {
  send(response, 200, "text/html; charset=utf-8", `<!doctype html><html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width"><link rel="icon" href="data:,">
    <title>${title}</title>${head}</head><body>${body}</body></html>`, { "Content-Security-Policy": policy(ancestors), "Cache-Control": "no-store" });
}

function json(response, status, body, headers) {
  send(response, status, "application/json", JSON.stringify(body), headers);
}

function problem(response, status, type, title, more = {}, headers = {}) {
  send(response, status, "application/problem+json", JSON.stringify({ type: `urn:postern:${type}`, title, status, traceId: "4bf92f3577b34da6", ...more }), headers);
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const { hostOrigin, posternOrigin } = await startMock();
  console.log(`host ${hostOrigin}\npostern ${posternOrigin}`);
}
