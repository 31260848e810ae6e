/** `<pn-table>`: a native table whose rows exist only near the visible part. */
import { Virtualizer, elementScroll, observeElementOffset, observeElementRect } from "@tanstack/virtual-core";
import { LitElement, type PropertyValues, css, html, nothing } from "lit";
import { customElement, property, query, state } from "lit/decorators.js";
import { cssom } from "../shared/cssom.ts";
import { baseStyles, icon } from "../shared/ui.ts";
import { type Result, type ResultColumn, columnNamed } from "./result.ts";
import { type SortOrder, sortedRows } from "./table-sort.ts";

const rowHeight = 36;
/** Rows the tile shows at once before it scrolls. */
const visibleRows = 10;

@customElement("pn-table")
export class TileTable extends LitElement {
  static override readonly styles = [baseStyles, css`
    :host { display: block; min-inline-size: 0; container-type: inline-size; }
    .scroll { overflow: auto; max-block-size: ${rowHeight * (visibleRows + 1)}px; border: 1px solid var(--pn-line); border-radius: var(--pn-radius-small); }
    table { inline-size: 100%; border-collapse: separate; border-spacing: 0; font-size: 0.875rem; }
    th, td { block-size: ${rowHeight}px; padding: 0 0.75rem; text-align: start; white-space: nowrap; }
    thead th { position: sticky; inset-block-start: 0; z-index: 1; background: var(--pn-sunken); border-block-end: 1px solid var(--pn-line); padding: 0; }
    tbody td { border-block-end: 1px solid var(--pn-line); max-inline-size: 28rem; overflow: hidden; text-overflow: ellipsis; }
    tbody tr:last-child td { border-block-end: 0; }
    tbody tr:hover td { background: var(--pn-accent-wash); }
    .number { text-align: end; font-variant-numeric: tabular-nums; }
    .space td { padding: 0; border: 0; }
    .sort {
      display: flex; align-items: center; gap: 0.35rem; inline-size: 100%; block-size: ${rowHeight}px; padding: 0 0.75rem; border: 0;
      background: none; color: var(--pn-muted); font-weight: 600; font-size: 0.8125rem; cursor: pointer; white-space: nowrap;
    }
    .number .sort { text-align: end; }
    .sort:hover { color: var(--pn-ink); }
    .sort:focus-visible { outline-offset: -3px; }
    .number .sort { flex-direction: row-reverse; }
    .sort .icon { flex: none; opacity: 0; }
    [aria-sort="ascending"] .icon, [aria-sort="descending"] .icon { opacity: 1; }
    [aria-sort="ascending"] .icon { rotate: 180deg; }
    /* Narrow tiles: headings break into lines, long texts end in dots, and the mark of the order takes room only where it is shown. */
    @container (max-width: 44rem) {
      .sort { block-size: auto; min-block-size: ${rowHeight}px; padding: 0.3rem 0.6rem; white-space: normal; text-align: start; line-height: 1.2; }
      .sort .icon { display: none; }
      [aria-sort="ascending"] .icon, [aria-sort="descending"] .icon { display: block; }
      td { padding: 0 0.6rem; }
      tbody td { max-inline-size: 30cqi; }
    }
    @container (max-width: 24rem) {
      table { font-size: 0.8125rem; }
      .sort { padding: 0.3rem 0.35rem; font-size: 0.75rem; }
      td { padding: 0 0.35rem; }
    }
    .count { padding-block-start: 0.5rem; font-size: 0.8125rem; }
  `];

  @property({ attribute: false }) result!: Result;
  /** Columns to show; all when absent. */
  @property({ attribute: false }) columns: readonly string[] | undefined;
  /** Rows that may exist in the document at once. */
  @property({ type: Number }) page = 50;
  /** Names the table for those who do not see it. */
  @property() label = "";

  @state() private order: SortOrder | undefined;
  @query(".scroll") private scroller!: HTMLElement;

  #rows: Uint32Array = new Uint32Array();
  #virtual: Virtualizer<HTMLElement, HTMLElement> | undefined;
  #unmount: (() => void) | undefined;

  override connectedCallback(): void {
    super.connectedCallback();
    if (this.hasUpdated) this.#mount();
  }

  override disconnectedCallback(): void {
    super.disconnectedCallback();
    this.#unmount?.();
    this.#unmount = undefined;
  }

  override willUpdate(changed: PropertyValues): void {
    if (changed.has("result") && this.order && !columnNamed(this.result, this.order.column)) this.order = undefined;
    if (changed.has("result") || changed.has("order")) this.#rows = sortedRows(this.result, this.order);
    this.#virtual?.setOptions({ ...this.#virtual.options, count: this.#rows.length });
  }

  override firstUpdated(): void {
    this.#mount();
    this.requestUpdate();
  }

  #mount(): void {
    this.#virtual = new Virtualizer<HTMLElement, HTMLElement>({
      count: this.#rows.length,
      getScrollElement: () => this.scroller,
      estimateSize: () => rowHeight,
      overscan: Math.max(2, Math.floor((this.page - visibleRows) / 2)),
      scrollToFn: elementScroll,
      observeElementRect,
      observeElementOffset,
      onChange: () => this.requestUpdate(),
    });
    this.#unmount = this.#virtual._didMount();
    this.#virtual._willUpdate();
  }

  #shown(): ResultColumn[] {
    const names = this.columns;
    if (!names) return this.result.columns;
    return names.flatMap((name) => columnNamed(this.result, name) ?? []);
  }

  override render() {
    const columns = this.#shown();
    const items = this.#virtual?.getVirtualItems() ?? [];
    const before = items[0]?.start ?? 0;
    const after = this.#virtual ? this.#virtual.getTotalSize() - (items.at(-1)?.end ?? 0) : 0;
    const count = this.#rows.length;
    return html`
      <div class="scroll" tabindex="0" role="region" aria-label=${this.label}>
        <table aria-rowcount=${count + 1} aria-label=${this.label}>
          <thead><tr aria-rowindex="1">${columns.map((column) => this.#head(column))}</tr></thead>
          <tbody>
            ${this.#space(before, columns.length)}
            ${items.map(({ index }) => html`
              <tr aria-rowindex=${index + 2}>${columns.map((column) => html`
                ${this.#cell(column, this.#rows[index]!)}`)}
              </tr>`)}
            ${this.#space(after, columns.length)}
          </tbody>
        </table>
      </div>
      <p class="count muted">${count.toLocaleString()} ${count === 1 ? "row" : "rows"}</p>`;
  }

  #cell(column: ResultColumn, row: number) {
    const text = column.format(column.values[row]);
    return isNumber(column) ? html`<td class="number">${text}</td>` : html`<td title=${text}>${text}</td>`;
  }

  #head(column: ResultColumn) {
    const sorted = this.order?.column === column.name ? (this.order.descending ? "descending" : "ascending") : undefined;
    return html`
      <th scope="col" class=${isNumber(column) ? "number" : ""} aria-sort=${sorted ?? nothing}>
        <button class="sort" type="button" @click=${() => this.#sort(column)}>${column.label}${icon("chevron")}</button>
      </th>`;
  }

  #space(height: number, columns: number) {
    if (height <= 0) return nothing;
    return html`<tr class="space" aria-hidden="true"><td colspan=${columns} ${cssom({ height: `${height}px` })}></td></tr>`;
  }

  #sort(column: ResultColumn): void {
    const again = this.order?.column === column.name;
    this.order = again && this.order!.descending ? undefined : { column: column.name, descending: again };
    this.scroller.scrollTop = 0;
  }
}

function isNumber(column: ResultColumn): boolean {
  return column.type === "int" || column.type === "float";
}
