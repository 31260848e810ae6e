/** Style of an element from a template, set through the CSSOM: a `style` attribute (as `styleMap` writes first) breaks `style-src 'self'`. */
import { type ElementPart, noChange } from "lit";
import { Directive, directive } from "lit/directive.js";

class Cssom extends Directive {
  override render(_properties: Readonly<Record<string, string>>): unknown {
    return noChange;
  }

  override update(part: ElementPart, [properties]: [Readonly<Record<string, string>>]): unknown {
    const { style } = part.element as HTMLElement;
    for (const [name, value] of Object.entries(properties)) style.setProperty(name, value);
    return noChange;
  }
}

/** `html\`<div ${cssom({ height: "3px" })}></div>\``; properties given once are given at every render. */
export const cssom = directive(Cssom);
