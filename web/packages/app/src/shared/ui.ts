/** Style and icons every page shares; constructable style sheets, so `style-src 'self'` holds. */
import { type SVGTemplateResult, type TemplateResult, css, html, svg } from "lit";
import { type Problem } from "./wire.ts";

export const baseStyles = css`
  *, *::before, *::after { box-sizing: border-box; }
  :host { color: var(--pn-ink); font: inherit; }
  :host([hidden]), [hidden] { display: none !important; }
  h1, h2, h3, h4, p, dl, dd, ul, ol { margin: 0; padding: 0; }
  ul, ol { list-style: none; }
  button, input, select { font: inherit; color: inherit; }
  a { color: var(--pn-accent); text-underline-offset: 0.15em; }
  svg.icon { inline-size: 1.1em; block-size: 1.1em; flex: none; vertical-align: -0.2em; }

  :focus-visible { outline: 2px solid var(--pn-focus); outline-offset: 2px; border-radius: var(--pn-radius-small); }

  .button {
    display: inline-flex; align-items: center; justify-content: center; gap: 0.5em;
    min-block-size: 2.5rem; padding: 0.45rem 1rem; border-radius: var(--pn-radius-small);
    border: 1px solid var(--pn-line-strong); background: var(--pn-surface); color: var(--pn-ink);
    font-weight: 550; text-decoration: none; cursor: pointer; transition: background-color 120ms, border-color 120ms;
  }
  .button:hover { background: var(--pn-sunken); }
  .button.primary { border-color: var(--pn-accent); background: var(--pn-accent); color: var(--pn-on-accent); }
  .button.primary:hover { background: color-mix(in srgb, var(--pn-accent) 88%, var(--pn-ink)); }
  .button.danger { border-color: var(--pn-bad); color: var(--pn-bad); }
  .button.danger:hover { background: var(--pn-bad-wash); }
  .button.small { min-block-size: 2rem; padding: 0.2rem 0.7rem; font-size: 0.8125rem; }
  .button.quiet { border-color: transparent; background: none; color: var(--pn-muted); }
  .button.quiet:hover { background: var(--pn-sunken); color: var(--pn-ink); }
  .button[disabled] { cursor: default; opacity: 0.6; }

  .card { background: var(--pn-surface); border: 1px solid var(--pn-line); border-radius: var(--pn-radius); box-shadow: var(--pn-shadow); }
  .muted { color: var(--pn-muted); }
  .mono { font-family: var(--pn-mono); font-size: 0.85em; overflow-wrap: anywhere; }

  .badge {
    display: inline-flex; align-items: center; gap: 0.45em; padding: 0.1rem 0.6rem; border-radius: 99px;
    font-size: 0.8125rem; font-weight: 550; background: var(--pn-sunken); color: var(--pn-muted); white-space: nowrap;
  }
  .badge::before { content: ""; inline-size: 0.5em; block-size: 0.5em; border-radius: 50%; background: currentColor; }
  .badge.good { background: var(--pn-good-wash); color: var(--pn-good); }
  .badge.warn { background: var(--pn-warn-wash); color: var(--pn-warn); }
  .badge.bad { background: var(--pn-bad-wash); color: var(--pn-bad); }

  .notice { display: grid; gap: 0.25rem; padding: 0.75rem 1rem; border-radius: var(--pn-radius-small); background: var(--pn-sunken); }
  .notice.bad { background: var(--pn-bad-wash); color: var(--pn-bad); }
  .notice.warn { background: var(--pn-warn-wash); color: var(--pn-warn); }
  .notice.good { background: var(--pn-good-wash); color: var(--pn-good); }
  .notice strong { font-weight: 600; }

  .visually-hidden {
    position: absolute; inline-size: 1px; block-size: 1px; margin: -1px; overflow: hidden; clip-path: inset(50%); white-space: nowrap;
  }

  .spinner {
    inline-size: 1em; block-size: 1em; border-radius: 50%; border: 2px solid currentColor; border-inline-end-color: transparent;
    animation: spin 800ms linear infinite;
  }
  @keyframes spin { to { rotate: 1turn; } }
  @media (prefers-reduced-motion: reduce) {
    *, *::before, *::after { animation-duration: 3s !important; transition: none !important; scroll-behavior: auto !important; }
  }
  @media (forced-colors: active) {
    .button, .badge { border: 1px solid; }
  }
`;

const paths = {
  lock: svg`<rect x="3.5" y="7" width="9" height="6.5" rx="1.5"/><path d="M5.5 7V5a2.5 2.5 0 0 1 5 0v2"/>`,
  table: svg`<rect x="2.5" y="3" width="11" height="10" rx="1.5"/><path d="M2.5 6.5h11M2.5 9.7h11M6.5 6.5V13"/>`,
  chart: svg`<path d="M2.5 2.5v11h11"/><path d="m5 10 2.6-3.2 2.2 1.7L13 4.5"/>`,
  download: svg`<path d="M8 2.5v7.2M5 7l3 3 3-3M3 13h10"/>`,
  retry: svg`<path d="M13 8a5 5 0 1 1-1.5-3.6"/><path d="M13 2.5v2.8h-2.8"/>`,
  alert: svg`<path d="M8 2.2 14.3 13H1.7Z"/><path d="M8 6.3v3.2M8 11.4v.1"/>`,
  link: svg`<path d="M6.8 9.2a2.6 2.6 0 0 0 3.7 0l2.2-2.2a2.6 2.6 0 0 0-3.7-3.7l-.9.9"/><path d="M9.2 6.8a2.6 2.6 0 0 0-3.7 0L3.3 9A2.6 2.6 0 0 0 7 12.7l.9-.9"/>`,
  check: svg`<path d="m3 8.5 3.2 3.2L13 4.8"/>`,
  chevron: svg`<path d="m4 6 4 4 4-4"/>`,
  person: svg`<circle cx="8" cy="5.4" r="2.6"/><path d="M3 13.5c.6-2.6 2.6-3.9 5-3.9s4.4 1.3 5 3.9"/>`,
  empty: svg`<rect x="2.5" y="3" width="11" height="10" rx="1.5"/><path d="M5.5 8h5"/>`,
} satisfies Record<string, SVGTemplateResult>;

export type IconName = keyof typeof paths;

/** A decorative icon; the text beside it carries the meaning. */
export function icon(name: IconName): TemplateResult {
  return html`<svg class="icon" viewBox="0 0 16 16" fill="none" stroke="currentColor" stroke-width="1.4" stroke-linecap="round"
    stroke-linejoin="round" aria-hidden="true" focusable="false">${paths[name]}</svg>`;
}

/** The product's mark: a small door in a wall. */
export function mark(): TemplateResult {
  return html`<svg class="mark" viewBox="0 0 24 24" width="24" height="24" aria-hidden="true" focusable="false">
    <rect width="24" height="24" rx="6" fill="var(--pn-accent)"></rect>
    <path d="M8 19v-8a4 4 0 0 1 8 0v8z" fill="var(--pn-on-accent)"></path>
    <circle cx="13.7" cy="13.7" r="1" fill="var(--pn-accent)"></circle>
  </svg>`;
}

/** A problem in words: title, detail, and the trace id a support desk asks for. */
export function problemText(problem: Problem): TemplateResult {
  return html`<strong>${problem.title}</strong>
    ${problem.detail ? html`<span>${problem.detail}</span>` : null}
    ${problem.retryAfter ? html`<span>Try again in ${problem.retryAfter} seconds.</span>` : null}
    ${problem.traceId ? html`<span class="mono">Trace ${problem.traceId}</span>` : null}`;
}

const platformNames: Record<string, string> = {
  databricks: "Databricks", snowflake: "Snowflake", bigquery: "BigQuery", trino: "Trino", postgresql: "PostgreSQL", duckdb: "DuckDB",
};

/** Proper name of a platform. */
export function platformName(platform: string): string {
  return platformNames[platform.toLowerCase()] ?? platform;
}
