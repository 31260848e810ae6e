import { css } from "lit";

/** Look of every control. */
export const controlStyles = css`
  .field { display: grid; gap: 0.25rem; min-inline-size: 0; border: 0; margin: 0; padding: 0; align-content: start; }
  .label, legend { padding: 0; font-size: 0.8125rem; font-weight: 550; color: var(--pn-muted); }
  .fault { font-size: 0.8125rem; color: var(--pn-bad); max-inline-size: 18rem; }

  input:not([type="checkbox"], [type="radio"]), select, .opener {
    block-size: 2.375rem; padding: 0 0.65rem; border: 1px solid var(--pn-line-strong); border-radius: var(--pn-radius-small);
    background: var(--pn-surface); color: var(--pn-ink); font-size: 0.9375rem; min-inline-size: 0;
  }
  input[type="number"] { inline-size: 6.5rem; font-variant-numeric: tabular-nums; }
  input[aria-invalid="true"] { border-color: var(--pn-bad); }
  input[type="checkbox"] { accent-color: var(--pn-accent); inline-size: 1rem; block-size: 1rem; margin: 0; flex: none; }

  .range { display: flex; align-items: center; gap: 0.4rem; flex-wrap: wrap; }

  .segments { display: inline-flex; padding: 2px; gap: 2px; border: 1px solid var(--pn-line-strong); border-radius: var(--pn-radius-small); background: var(--pn-surface); }
  .segments label { position: relative; display: block; }
  .segments input { position: absolute; inset: 0; opacity: 0; margin: 0; cursor: pointer; }
  .segments span { display: grid; place-items: center; block-size: calc(2.375rem - 6px); padding-inline: 0.75rem; border-radius: calc(var(--pn-radius-small) - 2px); }
  .segments input:checked + span { background: var(--pn-accent); color: var(--pn-on-accent); font-weight: 550; }
  .segments input:focus-visible + span { outline: 2px solid var(--pn-focus); outline-offset: 2px; }

  .pick { position: relative; }
  .opener { display: flex; align-items: center; justify-content: space-between; gap: 0.75rem; min-inline-size: 11rem; cursor: pointer; text-align: start; }
  .opener span { overflow: hidden; text-overflow: ellipsis; white-space: nowrap; max-inline-size: 14rem; }
  .panel {
    position: absolute; inset-block-start: calc(100% + 4px); inset-inline-start: 0; z-index: 5; inline-size: 17rem; max-inline-size: 90vw; padding: 0.6rem;
    display: grid; gap: 0.5rem; background: var(--pn-raised); border: 1px solid var(--pn-line); border-radius: var(--pn-radius-small);
    box-shadow: var(--pn-shadow-raised);
  }
  .panel ul { max-block-size: 14rem; overflow: auto; display: grid; }
  .panel li label { display: flex; align-items: center; gap: 0.55rem; padding: 0.3rem 0.35rem; border-radius: 4px; cursor: pointer; }
  .panel li label:hover { background: var(--pn-sunken); }
  .panel footer { display: flex; justify-content: space-between; align-items: center; font-size: 0.8125rem; }
`;
