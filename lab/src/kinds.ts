/** How kinds of entries and pages look: a colour by class, and a letter, so that colour is not alone. */
import type { EntryItem, FrameItem } from '../../src/recording/index.ts';

export interface Look {
  /** Class of the stylesheet: `k-…`. */
  readonly style: string;
  readonly letter: string;
}

export function entryLook({ kind, bits }: Pick<EntryItem, 'kind' | 'bits'>): Look {
  switch (kind) {
    case 'present':
      return bits.includes('writable')
        ? { style: 'writable', letter: 'W' }
        : { style: 'readonly', letter: 'R' };
    case 'zero':
      return { style: 'zero', letter: 'Z' };
    case 'migration':
      return { style: 'migration', letter: 'M' };
    case 'device-private':
      return { style: 'device', letter: 'D' };
    case 'device-exclusive':
      return { style: 'exclusive', letter: 'X' };
    case 'not accessible':
      return { style: 'none', letter: '−' };
    default:
      return { style: 'none', letter: '?' };
  }
}

export const ENTRY_LEGEND: readonly [Look, string][] = [
  [{ style: 'writable', letter: 'W' }, 'present, writable'],
  [{ style: 'readonly', letter: 'R' }, 'present, read-only'],
  [{ style: 'zero', letter: 'Z' }, 'the zero page'],
  [{ style: 'migration', letter: 'M' }, 'migration entry'],
  [{ style: 'device', letter: 'D' }, 'device-private'],
  [{ style: 'exclusive', letter: 'X' }, 'device-exclusive'],
  [{ style: 'none', letter: '−' }, 'no access'],
  [{ style: 'empty', letter: '·' }, 'nothing there yet'],
];

export function frameLook({ kind, memory }: FrameItem): Look {
  if (memory !== 'RAM') return { style: 'device', letter: 'D' };
  if (kind === 'zero page') return { style: 'zero', letter: 'Z' };
  if (kind === 'anonymous') return { style: 'writable', letter: 'A' };
  if (kind === 'file') return { style: 'readonly', letter: 'F' };
  return { style: 'empty', letter: '+' };
}

export const FRAME_LEGEND: readonly [Look, string][] = [
  [{ style: 'writable', letter: 'A' }, 'anonymous'],
  [{ style: 'readonly', letter: 'F' }, 'of a file'],
  [{ style: 'zero', letter: 'Z' }, 'the zero page'],
  [{ style: 'empty', letter: '+' }, 'just allocated, or on its way'],
  [{ style: 'device', letter: 'D' }, 'on a device'],
];
