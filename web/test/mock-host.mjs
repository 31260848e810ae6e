// A host application of another origin, and the platform's authorization page. Its own policy is strict, so the SDK is tested under one.
import { createServer } from "node:http";

/** `state.hostUser` null means: nobody is signed in at the host. */
export function startHost(state) {
  const server = createServer(async (request, response) => {
    const url = new URL(request.url, state.hostOrigin);
    if (url.pathname === "/") return page(response, state, `
      <h1>Skyline</h1>
      <postern-workbook src="${state.posternOrigin}/embed/flight_delays" codes="/postern/codes" theme="${url.searchParams.get("theme") ?? "auto"}"></postern-workbook>`);
    if (url.pathname === "/style.css") return send(response, 200, "text/css", "body{margin:24px;font-family:system-ui}postern-workbook{--postern-accent:#7a1fa2}");
    if (url.pathname === "/postern/codes" && request.method === "POST") {
      state.mints.push(Date.now());
      if (request.headers["x-requested-with"] !== "postern") return send(response, 403, "text/plain", "");
      if (state.mintFailures > 0) {
        state.mintFailures--;
        return send(response, 503, "text/plain", "");
      }
      const { challenge, workbook } = JSON.parse(await bodyOf(request));
      const code = `code-${state.codes.size + 1}`;
      state.codes.set(code, { challenge, workbook });
      return send(response, 200, "application/json", JSON.stringify({ code, expiresIn: 60 }));
    }
    if (url.pathname === "/authorize") return page(response, state, `
      <h1>Sign in at the platform</h1>
      <a id="approve" href="${state.posternOrigin}/oauth/callback?connect=${encodeURIComponent(url.searchParams.get("connect"))}&amp;as=ana">Ana</a>
      <a id="other" href="${state.posternOrigin}/oauth/callback?connect=${encodeURIComponent(url.searchParams.get("connect"))}&amp;as=ben">Ben</a>`, false);
    send(response, 404, "text/plain", "");
  });
  return server;
}

function page(response, state, body, embed = true) {
  response.setHeader("Content-Security-Policy",
    `default-src 'none'; script-src ${state.posternOrigin}; style-src 'self'; connect-src 'self'; frame-src ${state.posternOrigin}; require-trusted-types-for 'script'; trusted-types 'none'`);
  send(response, 200, "text/html; charset=utf-8", `<!doctype html><html lang="en"><head><title>Host</title>
    <link rel="stylesheet" href="/style.css">${embed ? `<script type="module" src="${state.posternOrigin}/assets/embed.js"></script>` : ""}</head><body><main>${body}</main></body></html>`);
}

export async function bodyOf(request) {
  const parts = [];
  for await (const part of request) parts.push(part);
  return Buffer.concat(parts).toString("utf8");
}

export function send(response, status, type, body, headers = {}) {
  response.writeHead(status, { "Content-Type": type, ...headers });
  response.end(body);
}
