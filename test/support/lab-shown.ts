/** What a page of the lab shows of a state, and what the library says of the same. */
import type { Page } from 'playwright-core';
import type { Recording } from '../../src/recording/index.ts';

/** By key: what each entry and each page of memory says of itself. */
export function shown(page: Page): Promise<Record<string, string>> {
  return page.evaluate(() => {
    const cells = document.querySelectorAll<HTMLElement>('.area [data-key], .grid [data-key]');
    const said: Record<string, string> = {};
    for (const cell of cells) {
      const { key = '' } = cell.dataset;
      if (/^(entry|frame)/.test(key)) said[key] = cell.ariaLabel ?? '';
    }
    return said;
  });
}

/** The same, of the library's state. */
export function expected(recording: Recording, step: number): Record<string, string> {
  const { entries, frames } = recording.moment(step).state;
  const said: Record<string, string> = {};
  for (const { key, place, kind, bits, pfn, pages, value } of entries) {
    const what = [kind, ...bits].join(', ');
    const size = pages > 1 ? ` (one entry for ${pages} pages)` : '';
    said[key] = `${place}${size}: ${what}; page ${pfn}; 0x${(value >>> 0).toString(16)}`;
  }
  for (const { key, name, kind, refcount, mapcount, lockedBy } of frames) {
    const lock = lockedBy === '' ? '' : `; locked by ${lockedBy}`;
    said[key] = `${name}: ${kind}; ${refcount} references, ${mapcount} mappings${lock}`;
  }
  return said;
}
