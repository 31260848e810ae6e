import { css } from "lit";

/** Layout of the portal. */
export const portalStyles = css`
  :host { display: block; min-block-size: 100dvh; }
  .bar { background: var(--pn-surface); border-block-end: 1px solid var(--pn-line); }
  .inner { display: flex; flex-wrap: wrap; align-items: center; justify-content: space-between; gap: 0.75rem 1.5rem; max-inline-size: 64rem; margin-inline: auto; padding: 0.7rem 1.5rem; }
  .brand { display: flex; align-items: center; gap: 0.65rem; color: inherit; font-weight: 620; text-decoration: none; }
  .me { display: flex; align-items: center; gap: 1rem; font-size: 0.875rem; line-height: 1.3; }
  .me b { font-weight: 600; }
  .me span { display: block; color: var(--pn-muted); font-size: 0.8125rem; }

  main { display: grid; gap: 2.5rem; max-inline-size: 64rem; margin-inline: auto; padding: 2rem 1.5rem 3rem; }
  section { display: grid; gap: 1.1rem; }
  .lead { display: grid; gap: 0.25rem; }
  .lead p { max-inline-size: 40rem; }
  h1 { font-size: 1.5rem; line-height: 1.25; font-weight: 640; letter-spacing: -0.015em; }
  h2 { font-size: 1.125rem; font-weight: 620; }
  .cards { display: grid; gap: 1rem; }
  .nothing { padding: 1.25rem; }
  .books { display: grid; grid-template-columns: repeat(auto-fill, minmax(16rem, 1fr)); gap: 1rem; }
  .books a { display: flex; align-items: center; gap: 0.75rem; padding: 1rem 1.1rem; color: inherit; font-weight: 550; text-decoration: none; }
  .books a:hover { border-color: var(--pn-accent); }
  .books .icon { inline-size: 1.4rem; block-size: 1.4rem; color: var(--pn-accent); }
  .center { display: grid; justify-items: center; gap: 1.1rem; padding: 3rem 1.5rem; text-align: center; }
  .center h1 { font-size: 1.25rem; }
`;
