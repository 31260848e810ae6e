/** Colour scheme and host tokens of this document. Values from a host are CSS text of another origin: checked, never markup. */
import { type Theme, type ThemeTokens } from "@postern/embed/protocol";

const tokenChecks: Record<keyof ThemeTokens, (value: string) => boolean> = {
  accent: (value) => CSS.supports("color", value) && !value.includes("var("),
  radius: (value) => /^\d{1,2}(\.\d+)?(px|rem)$/.test(value),
  font: (value) => value.length <= 200 && !/[;{}()\\]/.test(value) && CSS.supports("font-family", value),
};

/** Fires on `document` after the look changed; charts resolve their colours again. */
export const themeChanged = "pn-theme";

/** Applies a colour scheme and, when given, the host's tokens; an unfit value is ignored. */
export function applyTheme(theme: Theme, tokens?: ThemeTokens): void {
  const root = document.documentElement;
  if (theme === "auto") delete root.dataset["theme"];
  else root.dataset["theme"] = theme;
  for (const name of Object.keys(tokenChecks) as (keyof ThemeTokens)[]) {
    const value = tokens?.[name];
    if (typeof value === "string" && tokenChecks[name](value)) root.style.setProperty(`--postern-${name}`, value);
    else root.style.removeProperty(`--postern-${name}`);
  }
  chooseTextOnAccent(root);
  document.dispatchEvent(new Event(themeChanged));
}

/** Calls back when the operating system's choice or the host's changes; returns the function that stops it. */
export function onThemeChange(listener: () => void): () => void {
  const system = matchMedia("(prefers-color-scheme: dark)");
  document.addEventListener(themeChanged, listener);
  system.addEventListener("change", listener);
  return () => {
    document.removeEventListener(themeChanged, listener);
    system.removeEventListener("change", listener);
  };
}

/** Resolves a custom property to the colour it means here and now. */
export function resolveColor(host: Element, property: string): string {
  const probe = document.createElement("span");
  probe.style.color = `var(${property})`;
  (host.shadowRoot ?? host).append(probe);
  const color = getComputedStyle(probe).color;
  probe.remove();
  return color;
}

/** Text on the host's accent colour must stay readable: take black or white, whichever contrasts more. */
function chooseTextOnAccent(root: HTMLElement): void {
  root.style.removeProperty("--pn-on-accent");
  if (!root.style.getPropertyValue("--postern-accent") || !document.body) return;
  const [r, g, b] = (resolveColor(document.body, "--postern-accent").match(/[\d.]+/g) ?? []).map(Number);
  if (r === undefined || g === undefined || b === undefined) return;
  root.style.setProperty("--pn-on-accent", luminance(r, g, b) > 0.179 ? "#000000" : "#ffffff");
}

/** Relative luminance (WCAG 2.2) of 8-bit sRGB. At 0.179 black and white contrast alike. */
export function luminance(r: number, g: number, b: number): number {
  const linear = (channel: number) => {
    const c = channel / 255;
    return c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4;
  };
  return 0.2126 * linear(r) + 0.7152 * linear(g) + 0.0722 * linear(b);
}
