/** `<pn-tile>`: title, actions and the four states of a tile around its content. */
import { LitElement, type PropertyValues, type TemplateResult, html, nothing } from "lit";
import { customElement, property, state } from "lit/decorators.js";
import { isAbort, problemOf } from "../shared/api.ts";
import { baseStyles, icon, problemText } from "../shared/ui.ts";
import { type Problem, type Tile } from "../shared/wire.ts";
import { type ControlValues, exportCsv } from "./query-fetch.ts";
import { type Hold, type QueryPool } from "./query-pool.ts";
import { type Result } from "./result.ts";
import "./tile-chart.ts";
import "./tile-table.ts";
import "./tile-value.ts";
import { tileStyles } from "./tile-styles.ts";

@customElement("pn-tile")
export class TileElement extends LitElement {
  static override readonly styles = [baseStyles, tileStyles];

  @property({ attribute: false }) tile!: Tile;
  @property({ attribute: false }) pool!: QueryPool;
  @property() workbook = "";
  @property({ attribute: false }) controls: ControlValues = {};

  @state() private asTable = false;
  @state() private exporting = false;
  @state() private exportProblem: Problem | undefined;

  #hold: Hold | undefined;
  #export: AbortController | undefined;
  /** What is shown while the next result loads. */
  #shown: Result | undefined;

  override connectedCallback(): void {
    super.connectedCallback();
    if (this.hasUpdated) this.requestUpdate("controls");
  }

  override disconnectedCallback(): void {
    super.disconnectedCallback();
    this.#hold?.release();
    this.#hold = undefined;
    this.#export?.abort();
  }

  override willUpdate(changed: PropertyValues): void {
    if (!this.isConnected) return;
    if (this.#hold && !changed.has("tile") && !changed.has("controls") && !changed.has("pool")) return;
    const before = this.#hold;
    const next = this.pool.hold(this.tile.query, this.controls, () => this.requestUpdate());
    // Join first, leave after: a run both belong to goes on.
    before?.release();
    this.#hold = next;
    if (changed.has("pool") || changed.has("tile")) this.#shown = undefined;
  }

  override render(): TemplateResult {
    const state = this.#hold?.state ?? { status: "loading" as const };
    if (state.status === "ready") this.#shown = state.result;
    if (state.status === "error") this.#shown = undefined;
    const loading = state.status === "loading";
    return html`
      <article class="card tile ${this.tile.kind}" aria-busy=${loading ? "true" : "false"}
        aria-labelledby="title">
        ${loading && this.#shown ? html`<div class="progress"></div>` : nothing}
        <header>
          <h3 id="title">${this.tile.title}</h3>
          <div class="actions">${this.#actions()}</div>
        </header>
        <div class="body">${state.status === "error" ? this.#error(state.problem) : this.#shown ? this.#content(this.#shown) : this.#skeleton()}</div>
        ${this.exportProblem ? html`<div class="notice bad" role="alert">${problemText(this.exportProblem)}</div>` : nothing}
      </article>`;
  }

  #actions() {
    const { tile } = this;
    if (tile.kind === "chart" && this.#shown && this.#shown.rows > 0) {
      return html`
        <button class="button quiet small" type="button" aria-pressed=${this.asTable ? "true" : "false"}
          @click=${() => (this.asTable = !this.asTable)}>${icon("table")} Show as table</button>`;
    }
    if (tile.kind === "table" && tile.export?.includes("csv") && this.#shown) {
      return html`
        <button class="button quiet small" type="button" ?disabled=${this.exporting} @click=${this.#download}>
          ${this.exporting ? html`<span class="spinner"></span>` : icon("download")} Export CSV</button>`;
    }
    return nothing;
  }

  #content(result: Result) {
    const { tile } = this;
    if (result.rows === 0) {
      return html`<div class="empty muted">${icon("empty")}<p>No rows match. There is nothing here that you may see with these filters.</p></div>`;
    }
    if (tile.kind === "value") {
      return html`<pn-value .result=${result} field=${tile.field} .format=${tile.format} .description=${tile.describe}></pn-value>`;
    }
    if (tile.kind === "table" || this.asTable) {
      const { columns, page } = tile.kind === "table" ? tile : { columns: undefined, page: undefined };
      return html`<pn-table .result=${result} .columns=${columns} .page=${page ?? 50} label=${tile.title}></pn-table>`;
    }
    return html`
      ${tile.describe ? html`<p class="describe muted">${tile.describe}</p>` : nothing}
      <pn-chart .result=${result} .spec=${tile.spec} description=${tile.describe ?? tile.title}></pn-chart>`;
  }

  #skeleton() {
    return html`<div class="skeleton" aria-hidden="true"><i></i><i></i><i></i><i></i><i></i><i></i><i></i></div>
      <span class="visually-hidden">Loading</span>`;
  }

  #error(problem: Problem) {
    return html`
      <div class="error" role="alert">
        <div class="text">${icon("alert")}<div class="lines">${problemText(problem)}</div></div>
        <button class="button small" type="button" @click=${() => this.#hold?.retry()}>${icon("retry")} Try again</button>
      </div>`;
  }

  readonly #download = async (): Promise<void> => {
    this.#export?.abort();
    const abort = (this.#export = new AbortController());
    this.exporting = true;
    this.exportProblem = undefined;
    try {
      const blob = await exportCsv(this.workbook, this.tile.query, this.controls, abort.signal);
      const url = URL.createObjectURL(blob);
      const link = document.createElement("a");
      link.href = url;
      link.download = `${this.tile.title.replace(/[^\p{L}\p{N}]+/gu, "-").toLowerCase()}.csv`;
      link.click();
      URL.revokeObjectURL(url);
    } catch (error) {
      if (!isAbort(error)) this.exportProblem = problemOf(error);
    } finally {
      this.exporting = false;
    }
  };
}
