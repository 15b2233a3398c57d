/** A text picture of each buffer: a glyph a page. */
import { isDevice } from '../drivers/driver.ts';
import { PTE_HUGE, ptePfn, ptePresent, pteProtnone, pteWrite } from '../machine/pte.ts';
import { folioIsDeviceCoherent } from '../mm/folio.ts';
import type { Kernel } from '../mm/kernel.ts';
import { isDeviceExclusive, isDevicePrivate, isMigration, softleafToPfn } from '../mm/leafops.ts';
import { pagePgmap } from '../mm/memremap.ts';
import type { Mm } from '../mm/mm.ts';
import { pmdIsHuge, pmdpOf, ptepGet, ptepOf } from '../mm/pgtable.ts';
import type { System } from './system.ts';

/** Some pages of a buffer of a process, a glyph a page. */
export interface PictureRow {
  proc: number;
  buf: number;
  /** The first page shown. */
  page: number;
  glyphs: string;
  /** How many rows like this follow each other, this one among them. */
  times: number;
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
  ['d', 'on another device'],
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
  d: 'E',
  '-': '=',
};
export const HUGE_LEGEND: readonly [glyph: string, meaning: string][] = [
  ['R W Z M =', 'the same, in a huge mapping'],
  ['A B C D', 'a huge page on device 0, 1, 2, 3'],
  ['E', 'a huge page on another device'],
];

/** Devices that have a glyph of their own. */
const DIGITS = [0, 1, 2, 3];

/** The device that a page is on: its digit, or `d` where it has none. */
function deviceGlyph(k: Kernel, pfn: number): string {
  const { owner } = pagePgmap(k, pfn);
  return isDevice(owner) && DIGITS.includes(owner.id) ? String(owner.id) : 'd';
}

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
    else if (folioIsDeviceCoherent(k, pfn)) glyph = deviceGlyph(k, pfn);
    else glyph = pteWrite(pte) ? 'w' : 'r';
  } else if (isMigration(pte)) glyph = 'm';
  else if (isDeviceExclusive(pte)) glyph = 'x';
  else if (isDevicePrivate(pte)) glyph = deviceGlyph(k, softleafToPfn(pte));
  return huge ? (HUGE[glyph] ?? glyph) : glyph;
}

/** Pages from `vpn` on, below `end`, that need no look at each: not mapped, or without a page table. */
function alike(system: System, mm: Mm, vpn: number, end: number): { pages: number; glyph: string } {
  const k: Kernel = system.kernel;
  const vma = mm.findVma(vpn);
  if (!vma || vma.start > vpn) {
    return { pages: Math.min(end, vma?.start ?? end) - vpn, glyph: ' ' };
  }
  const pmdp = pmdpOf(k, mm, vpn);
  if (pmdp >= 0 && ptepGet(k, pmdp) !== 0) return { pages: 0, glyph: '' };
  const { ptrsPerPte } = k.geometry;
  const next = vpn - (vpn % ptrsPerPte) + ptrsPerPte;
  return { pages: Math.min(end, vma.end, next) - vpn, glyph: '.' };
}

/** Rows of `perRow` pages of the range from `vpn` to `end`, without those in which nothing is mapped. */
function rowsOf(
  system: System,
  mm: Mm,
  vpn: number,
  end: number,
  perRow: number,
): { vpn: number; glyphs: string; times: number }[] {
  const rows: ReturnType<typeof rowsOf> = [];
  for (let at = vpn; at < end; ) {
    const { pages, glyph } = alike(system, mm, at, end);
    const times = Math.floor(pages / perRow);
    if (times > 0) {
      if (glyph !== ' ') rows.push({ vpn: at, glyphs: glyph.repeat(perRow), times });
      at += times * perRow;
      continue;
    }
    let glyphs = '';
    for (const stop = Math.min(at + perRow, end); at + glyphs.length < stop; )
      glyphs += glyphAt(system, mm, at + glyphs.length);
    if (glyphs.trim() !== '') rows.push({ vpn: at, glyphs, times: 1 });
    at += glyphs.length;
  }
  return rows;
}

/**
 * Rows for each mapped buffer of each process, and the legend of the glyphs that occur. Rows that are alike
 * are one, rows in which nothing is mapped are none.
 * @param perRow pages a row
 */
export function picture(
  outcome: { system: System },
  perRow = 64,
): {
  rows: PictureRow[];
  legend: [string, string][];
} {
  const { system } = outcome;
  const { geometry } = system.kernel;
  const rows: PictureRow[] = [];
  const seen = new Set<string>();
  system.processes.forEach((process, proc) => {
    if (!process) return;
    const { mm } = process;
    const byBuffer = new Map<number, { start: number; end: number }>();
    for (const { start, end } of mm.vmas) {
      const buf = Math.floor((start - geometry.bufferBase) / geometry.bufferSpacing);
      const range = byBuffer.get(buf) ?? { start, end };
      byBuffer.set(buf, {
        start: Math.min(start, range.start),
        end: Math.max(end, range.end),
      });
    }
    for (const [buf, { start, end }] of [...byBuffer].sort((a, b) => a[0] - b[0])) {
      for (const { vpn, glyphs, times } of rowsOf(system, mm, start, end, perRow)) {
        for (const glyph of new Set(glyphs)) seen.add(glyph);
        const last = rows[rows.length - 1];
        const page = geometry.pageOf(vpn);
        const follows =
          last?.proc === proc && last.buf === buf && page === last.page + last.times * perRow;
        if (follows && last.glyphs === glyphs) last.times += times;
        else rows.push({ proc, buf, page, glyphs, times });
      }
    }
  });
  const legend = LEGEND.filter(([glyph]) => seen.has(glyph)).map(
    ([glyph, meaning]): [string, string] => [glyph, meaning],
  );
  if ([...seen].some((glyph) => 'RWZM='.includes(glyph))) legend.push([...HUGE_LEGEND[0]]);
  if ([...'ABCD'].some((glyph) => seen.has(glyph))) legend.push([...HUGE_LEGEND[1]]);
  if (seen.has('E')) legend.push([...HUGE_LEGEND[2]]);
  return { rows, legend };
}
