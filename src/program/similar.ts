/** "Did you mean": the known name that a wrong one is most like. */

/** Names that are longer are nobody's slip. */
const LONGEST = 40;

/** Letters to be changed, added, left out or swapped with the next to come from one word to the other. */
function distance(a: string, b: string): number {
  let before: number[] = [];
  let last = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const row = [i];
    for (let j = 1; j <= b.length; j++) {
      const same = a[i - 1] === b[j - 1] ? 0 : 1;
      let least = Math.min(last[j] + 1, row[j - 1] + 1, last[j - 1] + same);
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1])
        least = Math.min(least, before[j - 2] + 1);
      row.push(least);
    }
    before = last;
    last = row;
  }
  return last[b.length];
}

const plain = (name: string) => name.toLowerCase().replace(/[-_]/g, '');

/** @returns the known name that `name` is most like; undefined where it is like none */
export function similar(name: string, known: Iterable<string>): string | undefined {
  if (name.length > LONGEST) return undefined;
  let best: string | undefined;
  let least = Number.POSITIVE_INFINITY;
  for (const one of known) {
    // of two that are as far away, the one that is as long
    const far = distance(plain(name), plain(one)) + Math.abs(name.length - one.length) / 100;
    if (far < least) {
      least = far;
      best = one;
    }
  }
  return Math.floor(least) <= Math.max(1, Math.floor(name.length / 3)) ? best : undefined;
}

/** `; did you mean "x"?` where there is one. */
export function didYouMean(name: unknown, known: Iterable<string>): string {
  const best = typeof name === 'string' ? similar(name, known) : undefined;
  return best === undefined ? '' : `; did you mean "${best}"?`;
}
