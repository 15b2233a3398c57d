/** The picture of the buffers as lines of text. */
import { type PictureRow, picture, type RunOutcome } from '../program/index.ts';

const ROW_GLYPHS = 64;
/** Lines of a picture. */
const MAX_LINES = 1000;

function linesOf({ proc, buf, page, glyphs, times }: PictureRow, isFirst: boolean): string[] {
  const head = isFirst ? `proc ${proc} buf ${buf}` : '';
  const line = (at: number) => `${head.padEnd(15)}${String(at).padStart(7)}  ${glyphs}`;
  if (times === 1) return [line(page)];
  const more = times === 2 ? 'row' : 'rows';
  return [line(page), `${' '.repeat(24)}... ${times - 1} more ${more} like this`];
}

/**
 * A line for each 64 pages of each buffer: process, buffer, first page, a glyph a page. Lines that are alike
 * are folded, those in which nothing is mapped left out, and there are at most a thousand.
 */
export function pictureLines(outcome: RunOutcome): string[] {
  const { rows } = picture(outcome, ROW_GLYPHS);
  const lines = rows.flatMap((row, i) => {
    const before = rows[i - 1];
    return linesOf(row, before?.proc !== row.proc || before.buf !== row.buf);
  });
  if (lines.length <= MAX_LINES) return lines;
  return [...lines.slice(0, MAX_LINES), `... and ${lines.length - MAX_LINES} lines more`];
}

/** What the glyphs of these pictures mean, each once. */
export function legendText(outcomes: readonly RunOutcome[]): string {
  const meanings = new Map(outcomes.flatMap((outcome) => picture(outcome, ROW_GLYPHS).legend));
  return [...meanings].map(([glyph, meaning]) => `${glyph} ${meaning}`).join('   ');
}
