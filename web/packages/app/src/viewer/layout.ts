/** Widths of the tiles of a row, in columns of twelve: what is left after the named spans is shared by the others. */
export function spansOf(tiles: readonly { span?: number }[]): number[] {
  const named = tiles.reduce((sum, { span }) => sum + (span ?? 0), 0);
  const open = tiles.filter(({ span }) => span === undefined).length;
  const share = open > 0 ? Math.max(2, Math.floor((12 - named) / open)) : 0;
  return tiles.map(({ span }) => Math.min(12, Math.max(1, span ?? share)));
}
