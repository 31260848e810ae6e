import { css } from "lit";

/** Look of a tile's frame and of what it shows before there is content. */
export const tileStyles = css`
  :host { display: block; min-inline-size: 0; }
  .tile { position: relative; display: flex; flex-direction: column; gap: 0.5rem; block-size: 100%; padding: 1rem 1.25rem 1.1rem; overflow: hidden; }
  header { display: flex; align-items: center; justify-content: space-between; gap: 0.75rem; min-block-size: 2rem; }
  h3 { font-size: 0.9375rem; font-weight: 600; line-height: 1.3; }
  .value header { min-block-size: 0; }
  .value h3 { color: var(--pn-muted); font-weight: 500; font-size: 0.875rem; }
  .actions { display: flex; flex: none; gap: 0.25rem; margin-inline-end: -0.5rem; }
  .actions [aria-pressed="true"] { background: var(--pn-accent-wash); color: var(--pn-accent); }
  .describe { font-size: 0.8125rem; margin-block: -0.35rem 0.5rem; }
  .body { flex: 1; min-inline-size: 0; }

  .progress { position: absolute; inset: 0 0 auto 0; block-size: 2px; overflow: hidden; }
  .progress::before {
    content: ""; position: absolute; inset-block: 0; inline-size: 35%; background: var(--pn-accent); animation: slide 1.1s ease-in-out infinite;
  }
  @keyframes slide { from { inset-inline-start: -35%; } to { inset-inline-start: 100%; } }

  .skeleton { display: flex; align-items: flex-end; gap: 6%; block-size: 15rem; animation: breathe 1.6s ease-in-out infinite alternate; }
  .skeleton i { flex: 1; border-radius: 4px 4px 0 0; background: var(--pn-sunken); block-size: 45%; }
  .skeleton i:nth-child(2) { block-size: 62%; } .skeleton i:nth-child(3) { block-size: 38%; } .skeleton i:nth-child(4) { block-size: 80%; }
  .skeleton i:nth-child(5) { block-size: 55%; } .skeleton i:nth-child(6) { block-size: 70%; } .skeleton i:nth-child(7) { block-size: 48%; }
  .value .skeleton { block-size: 2.6rem; }
  .value .skeleton i { display: none; }
  .value .skeleton i:first-child { display: block; flex: 0 0 8rem; block-size: 2rem; border-radius: 4px; }
  .table .skeleton { flex-direction: column; align-items: stretch; justify-content: flex-start; gap: 0.6rem; }
  .table .skeleton i { flex: 0 0 1.5rem; border-radius: 4px; }
  @keyframes breathe { from { opacity: 1; } to { opacity: 0.5; } }

  .empty { display: grid; justify-items: center; align-content: center; gap: 0.5rem; min-block-size: 8rem; text-align: center; }
  .empty .icon { inline-size: 1.75rem; block-size: 1.75rem; }
  .value .empty { justify-items: start; min-block-size: 0; text-align: start; }
  .value .empty .icon { display: none; }

  .error { display: grid; justify-items: start; align-content: center; gap: 0.75rem; min-block-size: 6rem; }
  .error .text { display: flex; gap: 0.6rem; color: var(--pn-bad); }
  .error .text .icon { margin-block-start: 0.2rem; }
  .error .lines { display: grid; gap: 0.15rem; }
  .error .lines span { color: var(--pn-muted); font-size: 0.875rem; }

  @media (prefers-reduced-motion: reduce) {
    .skeleton { animation: none; }
    .progress::before { inline-size: 100%; animation: none; }
  }
`;
