// Chromium for the browser tests: finds it, drives it, and records every policy violation in every frame and window.
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { chromium } from "playwright-core";

const axeSource = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");

export const launch = () => chromium.launch({
  executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
  args: ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync"],
});

/** A fresh context whose `faults` collects policy violations, uncaught errors and console errors. */
export async function openContext(browser, options = {}) {
  const context = await browser.newContext({ viewport: { width: 1280, height: 900 }, locale: "en-US", timezoneId: "America/Los_Angeles", ...options });
  const faults = [];
  await context.exposeBinding("__violation", ({ frame }, text) => faults.push(`${new URL(frame.url()).pathname}: ${text}`));
  await context.addInitScript(() => {
    document.addEventListener("securitypolicyviolation", (event) => {
      window.__violation(`${event.effectiveDirective} ${event.blockedURI} ${event.sourceFile}:${event.lineNumber} ${event.sample}`);
    });
  });
  context.on("page", (page) => {
    page.on("pageerror", (error) => faults.push(`error: ${error.stack ?? error}`));
    page.on("console", (message) => {
      // An HTTP refusal a test asks for is logged by the browser itself.
      if (message.type() === "error" && !message.text().startsWith("Failed to load resource")) faults.push(`console: ${message.text()}`);
    });
  });
  context.faults = faults;
  return context;
}

/** Serious and critical findings of axe-core in a page or frame, one line each. */
export async function axeFindings(frame) {
  await frame.evaluate(axeSource);
  const { violations } = await frame.evaluate(() => window.axe.run(document, { runOnly: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"] }));
  return violations
    .filter(({ impact }) => impact === "serious" || impact === "critical")
    .map(({ id, nodes }) => `${id}: ${nodes.map(({ target, failureSummary }) => `${JSON.stringify(target)} ${failureSummary}`).slice(0, 3).join(" | ")}`);
}

/** Waits until `probe` is true; states of the mock have no events a test could await. */
export async function until(probe, what, milliseconds = 5000) {
  const end = Date.now() + milliseconds;
  while (!(await probe())) {
    if (Date.now() > end) throw new Error(`Not in time: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}
