/** Finds what somebody means who writes some of its letters, in order. */

/** Where the letters are in a text, and how well they fit; a higher score fits better. */
export interface Fit {
  readonly score: number;
  readonly at: readonly number[];
}

const AT_WORD = 8;
const NEXT = 5;
const WHOLE = 20;

const isWord = (c: string): boolean => /[\p{L}\p{N}]/u.test(c);
/** Whether a word begins here: behind what is no letter, or at a capital. */
function begins(text: string, i: number): boolean {
  if (i === 0 || !isWord(text[i - 1])) return isWord(text[i]);
  return /\p{Lu}/u.test(text[i]) && !/\p{Lu}/u.test(text[i - 1]);
}

/** The fit that takes each letter where it first comes from a place on, or at a word's beginning behind. */
function fitFrom(wanted: string, lower: string, text: string, start: number): Fit | null {
  const at: number[] = [];
  let score = 0;
  let i = start;
  for (const c of wanted) {
    let found = lower.indexOf(c, i);
    if (found < 0) return null;
    // better a word that begins with it than the middle of one
    if (found !== i || at.length === 0) {
      for (let word = found; word >= 0 && word < found + 40; word = lower.indexOf(c, word + 1)) {
        if (!begins(text, word)) continue;
        found = word;
        break;
      }
    }
    if (begins(text, found)) score += AT_WORD;
    if (at.length > 0 && found === i) score += NEXT;
    at.push(found);
    i = found + 1;
  }
  return { score, at };
}

/** @returns null when the text has not all of the letters, in order */
export function fitOf(query: string, text: string): Fit | null {
  const wanted = query.toLowerCase().replace(/\s+/g, '');
  if (wanted === '') return { score: 0, at: [] };
  const lower = text.toLowerCase();
  // one piece is best
  const piece = lower.indexOf(query.toLowerCase().trim());
  if (piece >= 0) {
    const length = query.trim().length;
    const score = WHOLE + wanted.length * (NEXT + 1) + (begins(text, piece) ? AT_WORD : 0);
    const at = Array.from({ length }, (_, i) => piece + i);
    return { score: score - text.length / 100, at };
  }
  let best: Fit | null = null;
  for (
    let start = lower.indexOf(wanted[0]);
    start >= 0;
    start = lower.indexOf(wanted[0], start + 1)
  ) {
    const found = fitFrom(wanted, lower, text, start) ?? greedy(wanted, lower, start);
    if (!found) break;
    if (!best || found.score > best.score) best = found;
  }
  return best && { score: best.score - text.length / 100, at: best.at };
}

/** Each letter where it first comes, wherever that is. */
function greedy(wanted: string, lower: string, start: number): Fit | null {
  const at: number[] = [];
  let i = start;
  for (const c of wanted) {
    const found = lower.indexOf(c, i);
    if (found < 0) return null;
    at.push(found);
    i = found + 1;
  }
  return { score: 0, at };
}

/** What fits, the best first; what fits as well keeps its order. */
export function best<T extends { readonly name: string }>(
  query: string,
  all: readonly T[],
  most: number,
): { readonly item: T; readonly at: readonly number[] }[] {
  const fitting: { item: T; at: readonly number[]; score: number }[] = [];
  for (const item of all) {
    const found = fitOf(query, item.name);
    if (found) fitting.push({ item, at: found.at, score: found.score });
  }
  return fitting.sort((a, b) => b.score - a.score).slice(0, most);
}
