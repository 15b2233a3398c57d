/** A text picture of each buffer: a glyph a page. */
import type { DmirrorDevice } from '../drivers/index.ts';
import { PTE_HUGE, ptePfn, ptePresent, pteProtnone, pteWrite } from '../machine/index.ts';
import { folioIsDeviceCoherent } from '../mm/folio.ts';
import type { Kernel, Mm } from '../mm/index.ts';
import { isDeviceExclusive, isDevicePrivate, isMigration, softleafToPfn } from '../mm/leafops.ts';
import { pagePgmap } from '../mm/memremap.ts';
import { pmdIsHuge, pmdpOf, ptepGet, ptepOf } from '../mm/pgtable.ts';
import type { System } from './system.ts';

/** One buffer of one process, a glyph a page. */
export interface PictureRow {
  proc: number;
  buf: number;
  /** The first page shown. */
  page: number;
  glyphs: string;
}

export const LEGEND: readonly [glyph: string, meaning: string][] = [
  [' ', 'not mapped'],
  ['.', 'nothing there yet'],
  ['r', 'read-only'],
  ['w', 'writable'],
  ['z', 'the zero page'],
  ['m', 'migration entry'],
  ['0', 'on device 0'],
  ['1', 'on device 1'],
  ['2', 'on device 2, within the reach of CPUs'],
  ['3', 'on device 3, within the reach of CPUs'],
  ['x', 'exclusive to a device'],
  ['-', 'present, no access'],
];
/** Pages of a huge mapping are shown in capitals; on a device as these. */
const HUGE: Record<string, string> = {
  r: 'R',
  w: 'W',
  z: 'Z',
  m: 'M',
  '0': 'A',
  '1': 'B',
  '2': 'C',
  '3': 'D',
  '-': '=',
};
export const HUGE_LEGEND: readonly [glyph: string, meaning: string][] = [
  ['R W Z M =', 'the same, in a huge mapping'],
  ['A B C D', 'a huge page on device 0, 1, 2, 3'],
];

/** The glyph of a page. */
export function glyphAt(system: System, mm: Mm, vpn: number): string {
  const k: Kernel = system.kernel;
  if (!mm.lookupVma(vpn)) return ' ';
  const pmdp = pmdpOf(k, mm, vpn);
  const pmd = pmdp < 0 ? 0 : ptepGet(k, pmdp);
  const huge = pmdIsHuge(pmd);
  const ptep = huge ? pmdp : ptepOf(k, mm, vpn);
  const pte = ptep < 0 ? 0 : ptepGet(k, ptep);
  let glyph = '?';
  if (pte === 0) return '.';
  if (ptePresent(pte)) {
    const pfn = ptePfn(pte & ~PTE_HUGE);
    if (pteProtnone(pte)) glyph = '-';
    else if (k.isZero(pfn) || k.isHugeZero(pfn)) glyph = 'z';
    else if (folioIsDeviceCoherent(k, pfn))
      glyph = String((pagePgmap(k, pfn).owner as DmirrorDevice).id);
    else glyph = pteWrite(pte) ? 'w' : 'r';
  } else if (isMigration(pte)) glyph = 'm';
  else if (isDeviceExclusive(pte)) glyph = 'x';
  else if (isDevicePrivate(pte)) {
    glyph = String((pagePgmap(k, softleafToPfn(pte)).owner as DmirrorDevice).id);
  }
  return huge ? (HUGE[glyph] ?? glyph) : glyph;
}

/** A row for each mapped buffer of each process, and the legend of the glyphs that occur. */
export function picture(outcome: { system: System }): {
  rows: PictureRow[];
  legend: [string, string][];
} {
  const { system } = outcome;
  const { geometry } = system.kernel;
  const rows: PictureRow[] = [];
  const seen = new Set<string>();
  system.processes.forEach((process, proc) => {
    if (!process) return;
    const byBuffer = new Map<number, { first: number; last: number }>();
    for (const vma of process.mm.vmas) {
      const buf = Math.floor((vma.start - geometry.bufferBase) / geometry.bufferSpacing);
      const base = geometry.vpnOf(buf, 0);
      const range = byBuffer.get(buf);
      const first = vma.start - base;
      const last = vma.end - base;
      byBuffer.set(buf, {
        first: Math.min(first, range?.first ?? first),
        last: Math.max(last, range?.last ?? last),
      });
    }
    for (const [buf, { first, last }] of [...byBuffer].sort((a, b) => a[0] - b[0])) {
      let glyphs = '';
      for (let page = first; page < last; page++) {
        glyphs += glyphAt(system, process.mm, geometry.vpnOf(buf, page));
      }
      for (const glyph of glyphs) seen.add(glyph);
      rows.push({ proc, buf, page: first, glyphs });
    }
  });
  const legend = LEGEND.filter(([glyph]) => seen.has(glyph)).map(
    ([glyph, meaning]): [string, string] => [glyph, meaning],
  );
  if ([...seen].some((glyph) => 'RWZM='.includes(glyph))) legend.push([...HUGE_LEGEND[0]]);
  if ([...'ABCD'].some((glyph) => seen.has(glyph))) legend.push([...HUGE_LEGEND[1]]);
  return { rows, legend };
}
