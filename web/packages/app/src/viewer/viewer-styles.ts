import { css } from "lit";

/** Layout of the viewer. Widths follow the frame, not the window: the host decides how much room there is. */
export const viewerStyles = css`
  :host { display: block; container-type: inline-size; background: var(--pn-canvas); }
  .viewer { display: grid; gap: 1.25rem; padding: clamp(1rem, 2.5cqi, 1.75rem); max-inline-size: 90rem; margin-inline: auto; }

  .top { display: flex; flex-wrap: wrap; align-items: center; justify-content: space-between; gap: 0.75rem 1.5rem; }
  h1 { font-size: clamp(1.25rem, 1rem + 1.2cqi, 1.625rem); line-height: 1.2; font-weight: 640; letter-spacing: -0.015em; text-wrap: balance; }
  .who {
    display: flex; align-items: center; gap: 0.6rem; padding: 0.35rem 0.9rem 0.35rem 0.4rem; border: 1px solid var(--pn-line); border-radius: 99px;
    background: var(--pn-surface); font-size: 0.8125rem; line-height: 1.3;
  }
  .who .seal { display: grid; place-items: center; inline-size: 1.9rem; block-size: 1.9rem; border-radius: 50%; background: var(--pn-accent-wash); color: var(--pn-accent); }
  .grant-warning { margin: 0; padding: 0.5rem 1rem; background: var(--pn-warn-wash); color: var(--pn-warn); }
  .who b { font-weight: 600; }
  .who span { display: block; color: var(--pn-muted); }

  nav { border-block-end: 1px solid var(--pn-line); }
  [role="tablist"] { display: flex; gap: 1.25rem; overflow-x: auto; }
  [role="tab"] { padding: 0.5rem 0.1rem; border: 0; border-block-end: 2px solid transparent; background: none; color: var(--pn-muted); font-weight: 550; cursor: pointer; white-space: nowrap; }
  [role="tab"][aria-selected="true"] { color: var(--pn-ink); border-color: var(--pn-accent); }

  .pages { display: grid; gap: 1.25rem; }
  .row { display: grid; grid-template-columns: repeat(12, minmax(0, 1fr)); gap: 1rem; }
  .row pn-tile { grid-column: span var(--span); }
  @container (max-width: 52rem) {
    .row pn-tile { grid-column: span 12; }
    .row pn-tile.value { grid-column: span 6; }
  }
  @container (max-width: 26rem) {
    .row pn-tile.value { grid-column: span 12; }
  }

  .gate { display: grid; grid-template-columns: minmax(0, 1fr); justify-items: center; padding-block: clamp(1rem, 6cqi, 4rem); }
  .gate .card { display: grid; gap: 1.1rem; inline-size: min(34rem, 100%); padding: clamp(1.25rem, 4cqi, 2rem); }
  .gate .emblem { display: grid; place-items: center; inline-size: 2.75rem; block-size: 2.75rem; border-radius: var(--pn-radius); background: var(--pn-accent-wash); color: var(--pn-accent); font-size: 1.35rem; }
  .gate .emblem.bad { background: var(--pn-bad-wash); color: var(--pn-bad); }
  .gate .emblem.warn { background: var(--pn-warn-wash); color: var(--pn-warn); }
  .gate h2 { font-size: 1.25rem; line-height: 1.3; font-weight: 620; text-wrap: balance; }
  .gate h2:focus { outline: none; }
  .gate ul { display: grid; gap: 0.5rem; }
  .gate li { display: grid; grid-template-columns: auto 1fr; gap: 0.6rem; color: var(--pn-muted); }
  .gate li .icon { margin-block-start: 0.25rem; color: var(--pn-good); }
  .gate .button { white-space: normal; }
  .gate .row-actions { display: flex; flex-wrap: wrap; gap: 0.75rem; }

  .opening { display: flex; align-items: center; justify-content: center; gap: 0.75rem; min-block-size: 16rem; color: var(--pn-muted); }
`;
