/** `<pn-multi>`: a choice of several strings, offered by a query. */
import { LitElement, css, html, nothing } from "lit";
import { customElement, property, query, state } from "lit/decorators.js";
import { baseStyles, icon } from "../shared/ui.ts";
import { controlStyles } from "./control-styles.ts";

export interface Option {
  value: string;
  label: string;
}

/** From this many options on there is a box to search them. */
const searchFrom = 9;

@customElement("pn-multi")
export class MultiControl extends LitElement {
  static override readonly styles = [baseStyles, controlStyles, css`:host { display: block; }`];

  @property() label = "";
  @property({ attribute: false }) value: readonly string[] = [];
  /** `undefined` while the options load. */
  @property({ attribute: false }) options: readonly Option[] | undefined;
  @property() trouble: string | undefined;
  @property({ type: Number }) maxItems: number | undefined;

  @state() private open = false;
  @state() private search = "";
  @query(".opener") private opener!: HTMLButtonElement;

  override connectedCallback(): void {
    super.connectedCallback();
    document.addEventListener("pointerdown", this.#outside);
    this.addEventListener("keydown", this.#keys);
    this.addEventListener("focusout", this.#left);
  }

  override disconnectedCallback(): void {
    super.disconnectedCallback();
    document.removeEventListener("pointerdown", this.#outside);
  }

  override render() {
    return html`
      <div class="field pick">
        <span class="label" id="label">${this.label}</span>
        <button class="opener" type="button" aria-labelledby="label summary" aria-expanded=${this.open ? "true" : "false"} aria-controls="panel"
          @click=${() => this.#toggle(!this.open)}><span id="summary">${this.#summary()}</span>${icon("chevron")}</button>
        ${this.open ? this.#panel() : nothing}
      </div>`;
  }

  #summary(): string {
    if (this.value.length === 0) return "All";
    const labels = this.value.map((value) => this.options?.find((option) => option.value === value)?.label ?? value);
    return labels.length <= 3 ? labels.join(", ") : `${labels.length} chosen`;
  }

  #panel() {
    if (this.trouble) return html`<div class="panel" id="panel"><p class="fault" role="alert">${this.trouble}</p></div>`;
    if (!this.options) return html`<div class="panel" id="panel"><p class="muted"><span class="spinner"></span> Loading</p></div>`;
    const wanted = this.search.trim().toLocaleLowerCase();
    const options = this.options.filter(({ label }) => label.toLocaleLowerCase().includes(wanted));
    const full = this.maxItems !== undefined && this.value.length >= this.maxItems;
    return html`
      <div class="panel" id="panel" role="group" aria-labelledby="label">
        ${this.options.length >= searchFrom
          ? html`<input type="search" placeholder="Search" aria-label="Search ${this.label}" .value=${this.search}
              @input=${(event: InputEvent) => (this.search = (event.target as HTMLInputElement).value)}>`
          : nothing}
        <ul>${options.map(({ value, label }) => {
          const chosen = this.value.includes(value);
          return html`<li><label><input type="checkbox" .checked=${chosen} ?disabled=${full && !chosen}
            @change=${(event: Event) => this.#pick(value, (event.target as HTMLInputElement).checked)}> ${label}</label></li>`;
        })}</ul>
        ${options.length === 0 ? html`<p class="muted">Nothing found.</p>` : nothing}
        <footer>
          <span class="muted" aria-live="polite">${this.value.length} chosen${full ? " (most allowed)" : ""}</span>
          <button class="button quiet small" type="button" ?disabled=${this.value.length === 0} @click=${() => this.#change([])}>Clear</button>
        </footer>
      </div>`;
  }

  #pick(value: string, chosen: boolean): void {
    this.#change(chosen ? [...this.value, value] : this.value.filter((other) => other !== value));
  }

  #change(value: readonly string[]): void {
    this.value = value;
    this.dispatchEvent(new CustomEvent("pn-pick", { detail: value }));
  }

  #toggle(open: boolean): void {
    this.open = open;
    if (!open) this.search = "";
  }

  readonly #outside = (event: Event): void => {
    if (this.open && !event.composedPath().includes(this)) this.#toggle(false);
  };

  readonly #left = (event: FocusEvent): void => {
    const next = event.relatedTarget;
    if (this.open && next instanceof Node && !this.contains(next) && !this.shadowRoot!.contains(next)) this.#toggle(false);
  };

  readonly #keys = (event: KeyboardEvent): void => {
    if (event.key !== "Escape" || !this.open) return;
    event.stopPropagation();
    this.#toggle(false);
    this.opener.focus();
  };
}
