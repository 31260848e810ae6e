/** `<pn-controls>`: the controls of a page. Fires `pn-values` with every value once all of them may be sent. */
import { LitElement, type PropertyValues, type TemplateResult, css, html, nothing } from "lit";
import { customElement, property, state } from "lit/decorators.js";
import { baseStyles } from "../shared/ui.ts";
import { type Control, type ControlValue, type DateRange, type Workbook } from "../shared/wire.ts";
import "./control-multi.ts";
import { type Option } from "./control-multi.ts";
import { controlStyles } from "./control-styles.ts";
import { fault, lastDay, rangeFromDays, valuesFor } from "./controls.ts";
import { type ControlValues } from "./query-fetch.ts";
import { type Hold, type QueryPool } from "./query-pool.ts";
import { columnNamed } from "./result.ts";

/** Longest list shown as segments side by side. */
const mostSegments = 4;

@customElement("pn-controls")
export class ControlBar extends LitElement {
  static override readonly styles = [baseStyles, controlStyles, css`
    :host { display: flex; flex-wrap: wrap; align-items: start; gap: 0.75rem 1.25rem; }
  `];

  @property({ attribute: false }) workbook!: Workbook;
  @property({ attribute: false }) names: readonly string[] = [];
  @property({ attribute: false }) values: ControlValues = {};
  @property({ attribute: false }) pool!: QueryPool;

  /** What is in the boxes, also where it may not be sent. */
  @state() private drafts: ControlValues = {};

  #options = new Map<string, Hold>();

  override disconnectedCallback(): void {
    super.disconnectedCallback();
    this.#releaseOptions();
  }

  override connectedCallback(): void {
    super.connectedCallback();
    if (this.hasUpdated) this.requestUpdate();
  }

  override willUpdate(changed: PropertyValues): void {
    if (changed.has("values")) this.drafts = { ...this.values };
    this.#holdOptions();
  }

  override render() {
    return this.names.map((name) => {
      const control = this.workbook.controls[name];
      return control ? this.#field(name, control) : nothing;
    });
  }

  #field(name: string, control: Control): TemplateResult {
    const wrong = fault(control, this.drafts[name]);
    switch (control.type) {
      case "date_range": return this.#range(name, control, wrong);
      case "int": return this.#number(name, control, wrong);
      case "choice": return control.choices.length <= mostSegments ? this.#segments(name, control) : this.#select(name, control.label, control.choices.map(({ key, label }) => ({ value: key, label })));
      case "string": return this.#string(name, control);
    }
  }

  #range(name: string, control: Control & { type: "date_range" }, wrong: string | undefined) {
    const range = this.drafts[name] as DateRange | undefined;
    const set = (part: "from" | "last") => (event: Event) => {
      const day = (event.target as HTMLInputElement).value;
      const from = part === "from" ? day : (range?.from ?? day);
      const last = part === "last" ? day : range?.to ? lastDay(range) : day;
      this.#draft(name, day === "" ? { from: part === "from" ? "" : from, to: part === "last" ? "" : (range?.to ?? "") } : rangeFromDays(from, last || day));
    };
    const dateInput = (part: "from" | "last", label: string, value: string) => html`
      <input type="date" aria-label="${control.label}, ${label}" .value=${value} min=${control.min ?? nothing} max=${control.max ?? nothing}
        aria-invalid=${wrong ? "true" : "false"} aria-describedby=${wrong ? `${name}-fault` : nothing} @change=${set(part)}>`;
    return html`
      <fieldset class="field">
        <legend>${control.label}</legend>
        <div class="range">
          ${dateInput("from", "first day", range?.from ?? "")} <span class="muted" aria-hidden="true">to</span>
          ${dateInput("last", "last day", range?.to ? lastDay(range) : "")}
        </div>
        ${this.#fault(name, wrong)}
      </fieldset>`;
  }

  #number(name: string, control: Control & { type: "int" }, wrong: string | undefined) {
    return html`
      <div class="field">
        <label class="label" for=${name}>${control.label}</label>
        <input id=${name} type="number" inputmode="numeric" step="1" min=${control.min ?? nothing} max=${control.max ?? nothing}
          .value=${String(this.drafts[name] ?? "")} aria-invalid=${wrong ? "true" : "false"} aria-describedby=${wrong ? `${name}-fault` : nothing}
          @change=${(event: Event) => {
            const { value, valueAsNumber, validity } = event.target as HTMLInputElement;
            this.#draft(name, value === "" && !validity.badInput ? (control.default ?? undefined) : valueAsNumber);
          }}>
        ${this.#fault(name, wrong)}
      </div>`;
  }

  #segments(name: string, control: Control & { type: "choice" }) {
    return html`
      <fieldset class="field">
        <legend>${control.label}</legend>
        <div class="segments">${control.choices.map(({ key, label }) => html`
          <label><input type="radio" name=${name} .checked=${this.drafts[name] === key} @change=${() => this.#draft(name, key)}><span>${label}</span></label>`)}
        </div>
      </fieldset>`;
  }

  #select(name: string, label: string, options: readonly Option[], empty?: string) {
    return html`
      <div class="field">
        <label class="label" for=${name}>${label}</label>
        <select id=${name} @change=${(event: Event) => this.#draft(name, (event.target as HTMLSelectElement).value)}>
          ${empty === undefined ? nothing : html`<option value="" .selected=${!this.drafts[name]}>${empty}</option>`}
          ${options.map((option) => html`<option value=${option.value} .selected=${this.drafts[name] === option.value}>${option.label}</option>`)}
        </select>
      </div>`;
  }

  #string(name: string, control: Control & { type: "string" }) {
    if (!control.options) {
      return html`
        <div class="field">
          <label class="label" for=${name}>${control.label}</label>
          <input id=${name} type="text" .value=${String(this.drafts[name] ?? "")}
            @change=${(event: Event) => this.#draft(name, textValue(control.many, (event.target as HTMLInputElement).value))}>
        </div>`;
    }
    const { options, trouble } = this.#optionsOf(name, control);
    if (!control.many) return this.#select(name, control.label, options ?? [], "All");
    return html`
      <pn-multi label=${control.label} .options=${options} .trouble=${trouble} .maxItems=${control.maxItems ?? undefined}
        .value=${(this.drafts[name] as string[] | undefined) ?? []}
        @pn-pick=${(event: CustomEvent<string[]>) => this.#draft(name, event.detail)}></pn-multi>`;
  }

  #fault(name: string, wrong: string | undefined) {
    return wrong ? html`<span class="fault" id="${name}-fault" role="alert">${wrong}</span>` : nothing;
  }

  #draft(name: string, value: ControlValue): void {
    this.drafts = { ...this.drafts, [name]: value };
    const sound = this.names.every((each) => {
      const control = this.workbook.controls[each];
      return !control || fault(control, this.drafts[each]) === undefined;
    });
    if (sound) this.dispatchEvent(new CustomEvent<ControlValues>("pn-values", { detail: this.drafts }));
  }

  #optionsOf(name: string, control: Control & { type: "string" }): { options?: Option[]; trouble?: string } {
    const state = this.#options.get(name)?.state;
    if (state?.status === "error") return { trouble: state.problem.title };
    if (state?.status !== "ready" || !control.options) return {};
    const values = columnNamed(state.result, control.options.value)?.values ?? [];
    const labels = control.options.label ? columnNamed(state.result, control.options.label)?.values : undefined;
    return {
      options: Array.from(values, (value, index) => ({ value: String(value), label: String(labels?.[index] ?? value) })),
    };
  }

  /** Holds the runs the options come from, and lets go of the ones before; those that stay the same go on. */
  #holdOptions(): void {
    if (!this.isConnected) return;
    const before = this.#options;
    this.#options = new Map();
    for (const name of this.names) {
      const control = this.workbook.controls[name];
      if (control?.type !== "string" || !control.options) continue;
      const { query } = control.options;
      // Options depend on other controls only where their query says so.
      const values = valuesFor(this.workbook.queries[query], [], this.values);
      this.#options.set(name, this.pool.hold(query, values, () => this.requestUpdate()));
    }
    for (const hold of before.values()) hold.release();
  }

  #releaseOptions(): void {
    for (const hold of this.#options.values()) hold.release();
    this.#options.clear();
  }
}

function textValue(many: boolean | undefined, text: string): string | string[] {
  return many ? text.split(",").map((part) => part.trim()).filter(Boolean) : text;
}
