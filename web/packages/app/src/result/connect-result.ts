/**
 * Runs on the callback page: hands the outcome to the window that opened this popup, which confirms it and says so, and closes.
 * The confirmation is good for the session that began the connect and for nobody else; it is posted to this origin alone.
 */

/** Time the opener has to acknowledge, in milliseconds. */
const patience = 10_000;

const page = document.getElementById("connect-result");
if (page) report(page);

function report(page: HTMLElement): void {
  const opener = window.opener as Window | null;
  if (!opener) {
    say(page, "Go back to the dashboard you came from. It could not be told of this window, so it may ask you to connect once more.");
    return;
  }
  const timer = setTimeout(() => {
    say(page, "The dashboard did not answer. Close this window, go back to it and connect again.");
  }, patience);
  addEventListener("message", (event) => {
    if (event.source !== opener || event.origin !== location.origin) return;
    if ((event.data as { postern?: unknown } | null)?.postern !== "ack") return;
    clearTimeout(timer);
    window.close();
  });
  opener.postMessage(messageOf(page), location.origin);
}

function messageOf(page: HTMLElement): object {
  const { outcome, connect, confirmation } = page.dataset;
  if (outcome === "ready") {
    delete page.dataset["confirmation"];
    return { postern: "connected", connect, confirmation };
  }
  const text = (selector: string) => page.querySelector(selector)?.textContent?.trim() ?? "";
  return { postern: "connect-failed", connect, outcome, title: text("h1"), detail: text("p") };
}

function say(page: HTMLElement, text: string): void {
  const line = document.createElement("p");
  line.setAttribute("role", "status");
  line.textContent = text;
  page.append(line);
}

export {};
