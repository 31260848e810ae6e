/** `<pn-confirm>`: asks before something that cannot be undone. A native modal dialog, so focus and Escape are the browser's. */
import { LitElement, css, html } from "lit";
import { customElement, property, query } from "lit/decorators.js";
import { baseStyles } from "../shared/ui.ts";

@customElement("pn-confirm")
export class ConfirmDialog extends LitElement {
  static override readonly styles = [baseStyles, css`
    dialog { inline-size: min(30rem, calc(100vw - 2rem)); padding: 1.5rem; border: 1px solid var(--pn-line); border-radius: var(--pn-radius); background: var(--pn-raised); color: var(--pn-ink); box-shadow: var(--pn-shadow-raised); }
    dialog::backdrop { background: rgb(10 16 22 / 50%); }
    .lines { display: grid; gap: 0.75rem; }
    h2 { font-size: 1.125rem; font-weight: 620; }
    .actions { display: flex; justify-content: flex-end; flex-wrap: wrap; gap: 0.75rem; margin-block-start: 0.75rem; }
  `];

  @property() heading = "";
  @property() confirm = "";
  @query("dialog") private dialog!: HTMLDialogElement;

  /** Opens and resolves to the choice. */
  async ask(): Promise<boolean> {
    await this.updateComplete;
    const { dialog } = this;
    dialog.returnValue = "";
    dialog.showModal();
    await new Promise((resolve) => dialog.addEventListener("close", resolve, { once: true }));
    return dialog.returnValue === "yes";
  }

  override render() {
    return html`
      <dialog aria-labelledby="heading">
        <div class="lines">
          <h2 id="heading">${this.heading}</h2>
          <slot></slot>
          <div class="actions">
            <button class="button" type="button" autofocus @click=${() => this.dialog.close("")}>Keep it</button>
            <button class="button danger" type="button" @click=${() => this.dialog.close("yes")}>${this.confirm}</button>
          </div>
        </div>
      </dialog>`;
  }
}
