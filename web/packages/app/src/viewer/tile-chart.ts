/** `<pn-chart>`: draws one result with a published Vega spec. */
import { LitElement, type PropertyValues, css, html } from "lit";
import { customElement, property, query, state } from "lit/decorators.js";
import { onThemeChange, resolveColor } from "../shared/theme.ts";
import { baseStyles } from "../shared/ui.ts";
import { columnRows } from "./column-rows.ts";
import { type Result } from "./result.ts";
import { Tooltip } from "./tooltip.ts";
import { type ChartColors, chartConfig, prepareSpec } from "./vega-spec.ts";
import type { Chart } from "./vega.ts";

@customElement("pn-chart")
export class TileChart extends LitElement {
  static override readonly styles = [baseStyles, css`
    :host { display: block; min-inline-size: 0; }
    .plot { inline-size: 100%; overflow-x: auto; overflow-y: hidden; }
    .plot svg { display: block; }
    .failed { padding: 1rem 0; }
    .tooltip {
      position: fixed; inset: auto; z-index: 10; pointer-events: none; max-inline-size: 20rem; padding: 0.5rem 0.75rem;
      border: 1px solid var(--pn-line); border-radius: var(--pn-radius-small); background: var(--pn-raised);
      box-shadow: var(--pn-shadow-raised); font-size: 0.8125rem;
    }
    .tooltip div { display: flex; justify-content: space-between; gap: 1.25rem; }
    .tooltip span { color: var(--pn-muted); }
    .tooltip b { font-weight: 600; font-variant-numeric: tabular-nums; }
  `];

  @property({ attribute: false }) result!: Result;
  @property({ attribute: false }) spec!: Record<string, unknown>;
  /** What the chart shows, in a sentence, for those who do not see it. */
  @property() description = "";

  @state() private failed = false;
  @query(".plot") private plot!: HTMLElement;
  @query(".tooltip") private tooltipBox!: HTMLElement;

  #chart: Chart | undefined;
  #tooltip: Tooltip | undefined;
  #drawing = 0;
  #fluid = true;
  #stopTheme: (() => void) | undefined;
  readonly #sizes = new ResizeObserver(([entry]) => {
    const width = Math.floor(entry?.contentRect.width ?? 0);
    if (this.#fluid && width > 0) void this.#chart?.resize(width);
  });

  override connectedCallback(): void {
    super.connectedCallback();
    this.#stopTheme = onThemeChange(() => void this.#draw());
    if (this.hasUpdated) {
      this.#sizes.observe(this);
      void this.#draw();
    }
  }

  override disconnectedCallback(): void {
    super.disconnectedCallback();
    this.#stopTheme?.();
    this.#sizes.disconnect();
    this.#drawing++;
    this.#chart?.dispose();
    this.#chart = undefined;
  }

  override firstUpdated(): void {
    this.#tooltip = new Tooltip(this.tooltipBox);
    this.#sizes.observe(this);
  }

  override updated(changed: PropertyValues<this>): void {
    if (changed.has("result") || changed.has("spec") || changed.has("description")) void this.#draw();
  }

  override render() {
    return html`
      <div class="plot" ?hidden=${this.failed} @mouseleave=${(event: MouseEvent) => this.#tooltip?.show(event, null)}></div>
      <p class="failed muted" ?hidden=${!this.failed}>This chart could not be drawn. “Show as table” has its data.</p>
      <div class="tooltip" hidden></div>`;
  }

  async #draw(): Promise<void> {
    const turn = ++this.#drawing;
    try {
      const { drawChart } = await import("./vega.ts");
      if (turn !== this.#drawing) return;
      const colors = this.#colors();
      const { spec, fluid, utc } = prepareSpec(this.spec, this.result, colors);
      const config = chartConfig(colors, getComputedStyle(this).fontFamily);
      const labels = new Map(this.result.columns.map(({ name, label }) => [name, label]));
      this.#chart?.dispose();
      this.#chart = undefined;
      const surface = document.createElement("div");
      this.plot.replaceChildren(surface);
      const chart = await drawChart(
        surface, spec, config, columnRows(this.result, !utc), this.description, fluid ? Math.floor(this.clientWidth) || 300 : undefined,
        (event, entries) => this.#tooltip?.show(event, entries?.map(([name, value]) => [labels.get(name) ?? name, value]) ?? null),
      );
      if (turn !== this.#drawing) {
        chart.dispose();
        return;
      }
      this.#chart = chart;
      this.#fluid = fluid;
      this.failed = false;
      this.dispatchEvent(new Event("pn-drawn", { bubbles: true, composed: true }));
    } catch {
      if (turn === this.#drawing) this.failed = true;
    }
  }

  #colors(): ChartColors {
    const color = (name: string) => resolveColor(this, `--pn-${name}`);
    return {
      ink: color("ink"),
      muted: color("muted"),
      line: color("line"),
      surface: color("surface"),
      series: Array.from({ length: 8 }, (_, index) => color(`series-${index + 1}`)),
    };
  }
}
