/** `<pn-value>`: one figure, large. */
import { LitElement, css, html } from "lit";
import { customElement, property } from "lit/decorators.js";
import { formatterFor, missing } from "./format.ts";
import { baseStyles } from "../shared/ui.ts";
import { type Result, columnNamed } from "./result.ts";

@customElement("pn-value")
export class TileValue extends LitElement {
  static override readonly styles = [baseStyles, css`
    :host { display: block; }
    .figure {
      font-size: clamp(1.75rem, 1.3rem + 1.5vw, 2.375rem); line-height: 1.15; font-weight: 620; letter-spacing: -0.02em;
      font-variant-numeric: tabular-nums; overflow-wrap: anywhere;
    }
    .describe { margin-block-start: 0.25rem; font-size: 0.8125rem; }
  `];

  @property({ attribute: false }) result!: Result;
  @property() field = "";
  @property() format: string | undefined;
  @property() description: string | undefined;

  override render() {
    return html`
      <p class="figure">${this.#text()}</p>
      ${this.description ? html`<p class="describe muted">${this.description}</p>` : null}`;
  }

  #text(): string {
    const column = columnNamed(this.result, this.field);
    if (!column || this.result.rows === 0) return missing;
    const format = this.format ? formatterFor(column.type, this.format, column.zoned) : column.format;
    return format(column.values[0]);
  }
}
