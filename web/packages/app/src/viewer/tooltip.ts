/** The one tooltip of the page. Text nodes only: a value from the data is never markup. */

const gap = 14;

export class Tooltip {
  readonly #box: HTMLElement;

  /** `box` is positioned `fixed` and styled by its owner. */
  constructor(box: HTMLElement) {
    this.#box = box;
    box.hidden = true;
  }

  /** Shows name and value pairs beside the pointer, inside the window; `null` hides. */
  show(event: MouseEvent, entries: [string, string][] | null): void {
    if (!entries) {
      this.#box.hidden = true;
      return;
    }
    this.#box.replaceChildren(...entries.map(([name, value]) => this.#line(name, value)));
    this.#box.hidden = false;
    const { width, height } = this.#box.getBoundingClientRect();
    const left = event.clientX + gap + width > innerWidth ? event.clientX - gap - width : event.clientX + gap;
    const top = event.clientY + gap + height > innerHeight ? event.clientY - gap - height : event.clientY + gap;
    this.#box.style.left = `${Math.max(0, left)}px`;
    this.#box.style.top = `${Math.max(0, top)}px`;
  }

  #line(name: string, value: string): HTMLElement {
    const line = document.createElement("div");
    if (name) {
      const label = document.createElement("span");
      label.textContent = name;
      line.append(label);
    }
    const text = document.createElement("b");
    text.textContent = value;
    line.append(text);
    return line;
  }
}
