/** The picture of the buffers as lines of text. */
import { picture } from '../program/picture.ts';
import type { RunOutcome } from '../program/run.ts';

const ROW_GLYPHS = 64;

/** A line for each 64 pages of each buffer: process, buffer, first page, a glyph a page. */
export function pictureLines(outcome: RunOutcome): string[] {
  return picture(outcome).rows.flatMap(({ proc, buf, page, glyphs }) => {
    const cells = [...glyphs];
    const lines: string[] = [];
    for (let at = 0; at < cells.length; at += ROW_GLYPHS) {
      const head = at === 0 ? `proc ${proc} buf ${buf}` : '';
      const first = String(page + at).padStart(7);
      lines.push(`${head.padEnd(15)}${first}  ${cells.slice(at, at + ROW_GLYPHS).join('')}`);
    }
    return lines;
  });
}

/** What the glyphs of these pictures mean, each once. */
export function legendText(outcomes: readonly RunOutcome[]): string {
  const meanings = new Map(outcomes.flatMap((outcome) => picture(outcome).legend));
  return [...meanings].map(([glyph, meaning]) => `${glyph} ${meaning}`).join('   ');
}
