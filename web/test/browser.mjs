// npm run test:browser: the pages in a real browser, on two origins, under the real policy. Needs `npm run build` first.
import assert from "node:assert/strict";
import { mkdirSync } from "node:fs";
import { test } from "node:test";
import { axeFindings, launch, openContext, until } from "./browser-kit.mjs";
import { connectDone, startMock } from "./mock-server.mjs";

const shots = process.env.SHOTS;
if (shots) mkdirSync(shots, { recursive: true });
const shoot = (page, name) => shots && page.screenshot({ path: `${shots}/${name}.png`, fullPage: true });

const browser = await launch();
test.after(() => browser.close());

/** Runs `body` with servers and a browser context of its own; no violation, error or serious axe finding may have happened. */
function journey(name, body, options) {
  test(name, { timeout: 60_000 }, async () => {
    const mock = await startMock();
    const context = await openContext(browser, options);
    try {
      await body({ mock, context, page: await context.newPage() });
      assert.deepEqual(context.faults, []);
    } finally {
      await context.close();
      mock.close();
    }
  });
}

async function openEmbed(mock, page, query = "") {
  await page.goto(`${mock.hostOrigin}/${query}`);
  await until(() => page.frames().length > 1, "the frame");
  return page.frames()[1];
}

const drawn = (frame, count = 2) => until(async () => (await frame.locator("pn-chart svg").count()) >= count, `${count} charts`);

journey("Embed_NotConnected_ConnectsThroughThePopupAndDraws", async ({ mock, context, page }) => {
  const events = [];
  await page.exposeFunction("heard", (type) => events.push(type));
  await page.addInitScript(() => {
    for (const type of ["ready", "loaded", "connect-required", "connected", "reconnect-required", "error", "resize"]) {
      addEventListener(`postern-${type}`, () => window.heard(type));
    }
  });
  const frame = await openEmbed(mock, page);
  const connect = frame.getByRole("button", { name: "Connect to Flight lakehouse" });
  await connect.waitFor();
  assert.equal(mock.redeemed.length, 1);
  assert.equal(await frame.evaluate(() => document.cookie + location.hash + location.search), "");
  await shoot(page, "01-connect-prompt");
  assert.deepEqual(await axeFindings(frame), []);

  const [popup] = await Promise.all([context.waitForEvent("page"), connect.click()]);
  const go = popup.getByRole("button", { name: "Continue to Databricks" });
  await go.waitFor();
  assert.equal(await go.isDisabled(), true, "the agreement comes first");
  assert.equal(new URL(popup.url()).search, "");
  await shoot(popup, "02-connect-popup");
  assert.deepEqual(await axeFindings(popup), []);
  await popup.getByRole("checkbox").check();
  await go.click();
  await popup.waitForURL(/\/authorize/);
  await Promise.all([popup.waitForEvent("close"), popup.locator("#approve").click()]);

  await drawn(frame);
  assert.equal(mock.confirmed.length, 1);
  await until(() => events.includes("connected"), "the connected event");
  for (const type of ["ready", "loaded", "connect-required", "resize"]) assert.ok(events.includes(type), type);
  assert.equal(mock.queries.filter(({ name }) => name === "totals").length, 1, "three tiles share one query");
  assert.equal(mock.queries.filter(({ name }) => name === "delays").length, 1, "chart and table share one query");
  const height = await page.evaluate(() => document.querySelector("postern-workbook").shadowRoot.querySelector("iframe").offsetHeight);
  assert.ok(height > 900, `the frame grew to ${height}`);
  if (shots) await page.setViewportSize({ width: 1280, height: height + 120 });
  await shoot(page, "03-viewer-light");
  assert.deepEqual(await axeFindings(frame), []);
});

journey("Popup_AnotherAccountSignsIn_IsExplainedInTheDashboard", async ({ mock, context, page }) => {
  const frame = await openEmbed(mock, page);
  const [popup] = await Promise.all([context.waitForEvent("page"), frame.getByRole("button", { name: "Connect to Flight lakehouse" }).click()]);
  await popup.getByRole("checkbox").check();
  await popup.getByRole("button", { name: "Continue to Databricks" }).click();
  await Promise.all([popup.waitForEvent("close"), popup.locator("#other").click()]);
  await frame.getByText("Another account signed in").waitFor();
  assert.equal(mock.confirmed.length, 0);
  await shoot(page, "04-mismatch");
});

journey("Popup_OpenedAlone_SaysWhereToStart", async ({ mock, page }) => {
  await page.goto(`${mock.posternOrigin}/connect`);
  await page.getByRole("heading", { name: "Open this from the dashboard" }).waitFor();
  assert.deepEqual(await axeFindings(page), []);
});

journey("Popup_ClosedByThePerson_OffersConnectAgain", async ({ mock, context, page }) => {
  const frame = await openEmbed(mock, page);
  const button = frame.getByRole("button", { name: "Connect to Flight lakehouse" });
  const [popup] = await Promise.all([context.waitForEvent("page"), button.click()]);
  await frame.getByRole("button", { name: "Continue in the window" }).waitFor();
  await popup.close();
  await button.waitFor();
});

journey("Viewer_GrantRevoked_TurnsToReconnectWithinASecond", async ({ mock, page }) => {
  connectDone(mock);
  const frame = await openEmbed(mock, page);
  await drawn(frame);
  await until(() => mock.streams.size > 0, "the change feed");
  mock.connection = { state: "reconnect", reason: "revoked" };
  const before = Date.now();
  mock.emit("grant", { connection: "lakehouse", state: "revoked" });
  await frame.getByRole("heading", { name: "Your connection to Flight lakehouse was revoked" }).waitFor();
  assert.ok(Date.now() - before < 1000);
  assert.equal(await frame.locator("pn-tile").count(), 0, "no data is left");
  await shoot(page, "05-reconnect");
  connectDone(mock);
  mock.emit("grant", { connection: "lakehouse", state: "connected" });
  await drawn(frame);
});

journey("Viewer_QueryNeedsReconnect_ShowsTheGateNotATileError", async ({ mock, page }) => {
  connectDone(mock);
  const frame = await openEmbed(mock, page);
  await drawn(frame);
  mock.connection = { state: "reconnect", reason: "expired" };
  await frame.getByRole("radio", { name: "Week" }).check();
  await frame.getByRole("heading", { name: /has expired/ }).waitFor();
});

journey("Viewer_SessionEnds_AsksItsHostForANewCode", async ({ mock, page }) => {
  connectDone(mock);
  const frame = await openEmbed(mock, page);
  await drawn(frame);
  mock.sessions.clear();
  await frame.getByRole("radio", { name: "Week" }).check();
  await until(() => mock.redeemed.length === 2, "a second code");
  await drawn(frame);
});

journey("Viewer_SessionEndedByAdministrator_DropsTheData", async ({ mock, page }) => {
  connectDone(mock);
  const frame = await openEmbed(mock, page);
  await drawn(frame);
  await until(() => mock.streams.size > 0, "the change feed");
  mock.emit("session", { state: "ended" });
  await frame.getByRole("heading", { name: "This session was ended" }).waitFor();
  assert.equal(await frame.locator("pn-tile").count(), 0);
  await frame.getByRole("button", { name: "Open again" }).click();
  await drawn(frame);
});

journey("Embed_HostMintFails_TriesAgainAndOpens", async ({ mock, page }) => {
  connectDone(mock);
  mock.mintFailures = 2;
  const frame = await openEmbed(mock, page);
  await frame.getByText("did not answer. Trying again").waitFor();
  await drawn(frame);
  assert.equal(mock.mints.length, 3);
});

journey("Frame_PortFromAStranger_IsNotTaken", async ({ mock, page }) => {
  await page.goto(`${mock.hostOrigin}/`);
  await until(() => page.frames().length > 1, "the frame");
  // A page that is not the parent (the frame itself) offers a port before and after the host did.
  const answered = await page.frames()[1].evaluate(() => new Promise((resolve) => {
    const channel = new MessageChannel();
    channel.port1.onmessage = () => resolve(true);
    window.postMessage({ postern: "port", version: 1 }, location.origin, [channel.port2]);
    setTimeout(() => resolve(false), 500);
  }));
  assert.equal(answered, false);
});

journey("Viewer_TileStates_ErrorCutAndEmptyEachSayWhat", async ({ mock, page }) => {
  connectDone(mock);
  const frame = await openEmbed(mock, page);
  await drawn(frame);
  await frame.getByRole("tab", { name: "Trouble" }).click();
  await frame.getByText("The platform does not answer").waitFor();
  await frame.getByText("Trace 4bf92f3577b34da6").waitFor();
  await frame.getByText("The result was cut off").waitFor();
  await frame.getByText("No rows match.").waitFor();
  await frame.getByText("This chart could not be drawn.").first().waitFor();
  const linking = frame.locator('pn-chart path[fill="#123456"]');
  await linking.waitFor();
  await linking.click();
  await page.waitForTimeout(200);
  assert.equal(page.frames()[1].url(), `${mock.posternOrigin}/embed/flight_delays`, "no link of a spec leads anywhere");
  assert.equal(page.context().pages().length, 1);
  await shoot(page, "06-tile-states");
  assert.deepEqual(await axeFindings(frame), []);
  mock.failing = false;
  const asked = mock.queries.length;
  await frame.getByRole("button", { name: "Try again" }).first().click();
  await until(() => mock.queries.length > asked, "a retry");
});

journey("Viewer_ControlChangeAndPageChange_CancelWhatRuns", async ({ mock, page }) => {
  connectDone(mock);
  const frame = await openEmbed(mock, page);
  await drawn(frame);
  const answered = () => page.waitForResponse((response) => response.url().endsWith("/queries/slow"));
  await Promise.all([answered(), frame.getByRole("tab", { name: "Slow" }).click()]);
  const slow = () => mock.queries.filter(({ name }) => name === "slow");
  await until(() => slow().length === 1, "the slow query");
  await frame.locator("pn-tile .skeleton").first().waitFor();
  const again = answered();
  await frame.getByLabel("At least minutes late").fill("30");
  await frame.getByLabel("At least minutes late").press("Enter");
  await until(() => mock.cancelled.includes(slow()[0].id) && mock.dropped.includes(slow()[0].id), "the first run's end");
  await until(() => slow().length === 2, "a run with the new value");
  assert.equal(slow()[1].controls.min_delay, 30);
  await again;
  await frame.getByRole("tab", { name: "Overview" }).click();
  await until(() => mock.cancelled.includes(slow()[1].id), "the end of the hidden tile's run");
});

journey("Viewer_Controls_SendWhatTheWireSays", async ({ mock, page }) => {
  connectDone(mock);
  const frame = await openEmbed(mock, page);
  await drawn(frame);
  assert.deepEqual(mock.queries.find(({ name }) => name === "totals").controls, { period: { from: "2001-01-01", to: "2001-07-01" }, min_delay: 15, grain: "month" });
  assert.equal(await frame.getByLabel("Period, last day").inputValue(), "2001-06-30");
  await frame.getByRole("button", { name: /Origin state/ }).click();
  await frame.getByLabel("CA", { exact: true }).check();
  await frame.getByLabel("NV", { exact: true }).check();
  await shoot(page, "07-multi");
  assert.deepEqual(await axeFindings(frame), []);
  await page.keyboard.press("Escape");
  assert.equal(await frame.getByLabel("CA", { exact: true }).count(), 0);
  const last = () => mock.queries.findLast(({ name }) => name === "totals").controls;
  await until(() => last().states?.length === 2, "the chosen states");
  assert.deepEqual(last().states, ["CA", "NV"]);
  const asked = mock.queries.length;
  await frame.getByLabel("At least minutes late").fill("9999");
  await frame.getByLabel("At least minutes late").press("Enter");
  await frame.getByText("Enter 1440 or less.").waitFor();
  await page.waitForTimeout(400);
  assert.equal(mock.queries.length, asked, "a faulty value is not sent");
});

journey("Viewer_ChartAsTableTooltipAndExport_Work", async ({ mock, page }) => {
  connectDone(mock);
  const frame = await openEmbed(mock, page);
  await drawn(frame);
  await frame.locator("pn-chart").first().locator('path[aria-roledescription="point"]').nth(4).hover();
  const tooltip = frame.locator("pn-chart .tooltip").first();
  await tooltip.waitFor();
  assert.match(await tooltip.innerText(), /Month\s+Feb 2001\s+Average delay \(min\)\s+\d+\.\d\s/, "a date is the day the data says, west of Greenwich too");
  await shoot(page, "08-tooltip");
  await frame.getByRole("button", { name: "Show as table" }).first().click();
  await frame.getByRole("region", { name: "Average delay by month" }).getByRole("cell", { name: "Jan 2001" }).first().waitFor();
  assert.deepEqual(await axeFindings(frame), []);
  const [download] = await Promise.all([page.waitForEvent("download"), frame.getByRole("button", { name: "Export CSV" }).click()]);
  assert.equal(download.suggestedFilename(), "by-month-and-state.csv");
  assert.equal(mock.queries.at(-1).accept, "text/csv");
});

journey("Viewer_LongTable_KeepsFewRowsAndScrolls", async ({ mock, page }) => {
  connectDone(mock);
  const frame = await openEmbed(mock, page);
  await drawn(frame);
  await frame.getByRole("tab", { name: "All flights" }).click();
  const table = frame.getByRole("table", { name: "Flights" });
  await table.getByRole("cell", { name: "Jan 1, 2001" }).first().waitFor();
  await frame.getByText("5,000 rows").waitFor();
  assert.ok((await table.getByRole("row").count()) <= 45);
  await frame.getByRole("button", { name: "Delay (min)" }).click();
  await frame.getByRole("button", { name: "Delay (min)" }).click();
  await table.getByRole("cell", { name: "239" }).first().waitFor();
  const region = frame.getByRole("region", { name: "Flights" });
  await region.focus();
  await page.keyboard.press("End");
  await until(async () => (await table.locator("tbody tr[aria-rowindex='5001']").count()) === 1, "the last row");
  assert.deepEqual(await axeFindings(frame), []);
  await shoot(page, "09-table");
});

journey("Viewer_DarkAndReducedMotion_AreFollowed", async ({ mock, page }) => {
  connectDone(mock);
  const frame = await openEmbed(mock, page, "?theme=dark");
  await drawn(frame);
  await until(() => frame.evaluate(() => document.documentElement.dataset.theme === "dark"), "the dark theme");
  await shoot(page, "10-viewer-dark");
  assert.deepEqual(await axeFindings(frame), []);
}, { reducedMotion: "reduce", viewport: { width: 1280, height: 1500 } });

journey("Viewer_AtTopLevelAndNarrow_UsesThePortalSession", async ({ mock, page }) => {
  connectDone(mock);
  await page.goto(`${mock.posternOrigin}/workbooks/flight_delays`);
  await drawn(page); // Signed out at first: the page goes through /sign-in and comes back.
  assert.equal(new URL(page.url()).pathname, "/workbooks/flight_delays");
  await shoot(page, "11-viewer-narrow");
  assert.deepEqual(await axeFindings(page), []);
  assert.equal(await page.evaluate(() => document.documentElement.scrollWidth <= innerWidth), true, "nothing sticks out");
}, { viewport: { width: 390, height: 844 }, colorScheme: "dark" });

journey("Portal_RevokeAtAProviderThatCannot_SaysUntilWhenTheTokenLives", async ({ mock, page }) => {
  connectDone(mock);
  await page.goto(`${mock.posternOrigin}/sign-in?return_to=/`);
  await page.getByRole("heading", { name: "My connections" }).waitFor();
  await page.getByText("Run SQL queries on SQL warehouses as you").waitFor();
  await shoot(page, "12-portal");
  assert.deepEqual(await axeFindings(page), []);
  await page.getByRole("button", { name: "Revoke" }).click();
  await page.getByRole("heading", { name: "Revoke Flight lakehouse?" }).waitFor();
  await shoot(page, "13-portal-confirm");
  assert.deepEqual(await axeFindings(page), []);
  await page.keyboard.press("Escape");
  assert.equal(mock.grant.state, "active", "Escape keeps it");
  await page.getByRole("button", { name: "Revoke" }).click();
  await page.getByRole("dialog").getByRole("button", { name: "Revoke" }).click();
  await page.getByText(/This provider cannot revoke; the last access token lives until .*\d/).waitFor();
  assert.equal(mock.grant.state, "revoked");
  await shoot(page, "14-portal-revoked");
  assert.deepEqual(await axeFindings(page), []);
});

journey("Portal_ConnectAndRevokeAtAProviderThatCan_SaysSo", async ({ mock, context, page }) => {
  mock.canRevoke = true;
  await page.goto(`${mock.posternOrigin}/sign-in?return_to=/`);
  const [popup] = await Promise.all([context.waitForEvent("page"), page.getByRole("button", { name: "Connect" }).click()]);
  await popup.getByRole("checkbox").check();
  await popup.getByRole("button", { name: "Continue to Databricks" }).click();
  await Promise.all([popup.waitForEvent("close"), popup.locator("#approve").click()]);
  await page.getByText("Connected", { exact: true }).waitFor();
  await page.getByRole("button", { name: "Revoke" }).click();
  await page.getByRole("dialog").getByRole("button", { name: "Revoke" }).click();
  await page.getByText("Revoked at the provider").waitFor();
  await page.getByRole("button", { name: "Sign out" }).click();
  await page.getByRole("heading", { name: "You are signed out" }).waitFor();
  assert.equal(mock.sessions.size, 0);
});

journey("Portal_SignedOut_OffersSignIn", async ({ mock, page }) => {
  await page.goto(`${mock.posternOrigin}/`);
  await page.getByRole("link", { name: "Sign in" }).waitFor();
  assert.deepEqual(await axeFindings(page), []);
}, { colorScheme: "dark" });
