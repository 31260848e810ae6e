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
  fitAccent(root);
  document.dispatchEvent(new Event(themeChanged));
}

// The same accent may be readable by day and not by night.
globalThis.matchMedia?.("(prefers-color-scheme: dark)").addEventListener("change", () => fitAccent(document.documentElement));

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

/**
 * A host's accent colour must stay readable here, as text on our surfaces and under text of ours: it is drawn towards the ink until it
 * has a contrast of 4.5 (WCAG 2.2 AA), and gets black or white text, whichever contrasts more.
 */
function fitAccent(root: HTMLElement): void {
  root.style.removeProperty("--pn-accent");
  root.style.removeProperty("--pn-on-accent");
  if (!root.style.getPropertyValue("--postern-accent") || !document.body) return;
  const [accent, surface, ink] = ["--postern-accent", "--pn-surface", "--pn-ink"].map((name) => parseRgb(resolveColor(document.body, name)));
  if (!accent || !surface || !ink) return;
  const fitted = readable(accent, surface, ink);
  root.style.setProperty("--pn-accent", `rgb(${fitted.join(" ")})`);
  root.style.setProperty("--pn-on-accent", luminance(...fitted) > 0.179 ? "#000000" : "#ffffff");
}

export type Rgb = [number, number, number];

/** Computed colour as 8-bit sRGB; `undefined` for one that is not written so. */
export function parseRgb(color: string): Rgb | undefined {
  const parts = /^rgba?\(/.test(color) ? (color.match(/[\d.]+/g) ?? []).map(Number) : [];
  const [r, g, b] = parts;
  return r === undefined || g === undefined || b === undefined ? undefined : [r, g, b];
}

/** `color`, drawn towards `ink` in steps of a twentieth until it contrasts with `surface` by 4.5. */
export function readable(color: Rgb, surface: Rgb, ink: Rgb): Rgb {
  for (let step = 0; step <= 20; step++) {
    const mixed = color.map((channel, i) => Math.round(channel + ((ink[i]! - channel) * step) / 20)) as Rgb;
    if (contrast(mixed, surface) >= 4.5) return mixed;
  }
  return ink;
}

/** Contrast ratio (WCAG 2.2), 1 to 21. */
export function contrast(a: Rgb, b: Rgb): number {
  const [dark, light] = [luminance(...a), luminance(...b)].sort((x, y) => x - y) as [number, number];
  return (light + 0.05) / (dark + 0.05);
}

/** Relative luminance (WCAG 2.2) of 8-bit sRGB. At 0.179 black and white contrast alike. */
export function luminance(r: number, g: number, b: number): number {
  const linear = (channel: number) => {
    const c = channel / 255;
    return c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4;
  };
  return 0.2126 * linear(r) + 0.7152 * linear(g) + 0.0722 * linear(b);
}
