/**
 * When areas become one, and which of them stays. The drawings are what is tested: a letter is a page of an
 * area, a dot a page where nothing is, and each column a page.
 *
 *     before: 'AAA...CCC'    the areas
 *     change: '   ###   '    the range that is new, or that changes
 *     result: 'AAAAAAAAA'    A has taken the range and C; A is the same area as before
 *
 * In a result, # is an area of its own for the range, and + another new one: a part that was split off.
 */
import { describe, expect, it } from 'vitest';
import { runToEnd } from '../../src/machine/index.ts';
import { AnonVma, AnonVmaChain } from '../../src/mm/anon-vma.ts';
import { Kernel } from '../../src/mm/kernel.ts';
import { AddressSpace } from '../../src/mm/shmem.ts';
import { type UserfaultfdCtx, userfaultfd } from '../../src/mm/userfaultfd.ts';
import {
  insertByOffset,
  VM_MIXEDMAP,
  VM_READ,
  VM_SHARED,
  VM_SOFTDIRTY,
  VM_UFFD_MISSING,
  VM_WRITE,
  Vma,
  vmaLink,
} from '../../src/mm/vma.ts';
import { findMergeableAnonVma, vmaMergeNewRange, vmaModifyFlags } from '../../src/mm/vma-merge.ts';

const FLAGS: Record<string, number> = {
  r: VM_READ,
  w: VM_WRITE,
  s: VM_SHARED,
  /** Soft-dirty: sticks to what it merges with. */
  d: VM_SOFTDIRTY,
  /** A driver's pages: never merges. */
  m: VM_MIXEDMAP,
  u: VM_UFFD_MISSING,
};

/** What an area has, or the range. */
interface Traits {
  /** Default: 'rw'. */
  flags?: string;
  /** Its anon_vma; and those of the parents, as a forked child has them: 'xp'. Default: none yet. */
  anon?: string;
  /** Default: anonymous memory. */
  file?: string;
  /** By how much its offset in the file is off from the column's number. */
  at?: number;
  /** By how much its anonymous pages' offsets are off from their addresses: they were moved here. */
  moved?: number;
  /** Its monitor. */
  uffd?: string;
}

interface Case {
  name: string;
  before: string;
  change: string;
  result: string;
  areas?: Record<string, Traits>;
  range?: Traits;
  /** The anon_vmas of areas that have others afterwards. */
  anon?: Record<string, string>;
  /** Areas that are soft-dirty afterwards and were not. */
  dirty?: string;
}

/** The runs of a drawing: its letter, first page and the page after. */
const runs = (drawing: string) =>
  [...drawing.matchAll(/([^. ])\1*/g)].map(({ 0: run, 1: letter, index }) => ({
    letter,
    first: index,
    end: index + run.length,
  }));

/** An address space as drawn. */
class Drawn {
  readonly k = new Kernel({ pmdOrder: 2, pageBytes: 16 });
  readonly mm = this.k.newMm();
  readonly base = this.k.geometry.vpnOf(0, 0);
  readonly areas = new Map<string, Vma>();
  private readonly anonVmas = new Map<string, AnonVma>();
  private readonly files = new Map<string, AddressSpace>();
  private readonly monitors = new Map<string, UserfaultfdCtx>();

  constructor(
    drawing: string,
    readonly traits: Record<string, Traits> = {},
  ) {
    for (const { letter, first, end } of runs(drawing)) {
      const vma = this.area(first, end, traits[letter]);
      this.areas.set(letter, vma);
      vmaLink(vma);
      this.linkAnonVmas(vma, traits[letter]?.anon ?? '');
    }
  }

  private named<T>(map: Map<string, T>, name: string, make: () => T): T {
    const there = map.get(name) ?? make();
    map.set(name, there);
    return there;
  }

  /** What a range of pages is like. */
  shape(first: number, { flags = 'rw', anon = '', file, at = 0, moved = 0, uffd }: Traits = {}) {
    const { k } = this;
    return {
      flags: [...flags].reduce((sum, letter) => sum | FLAGS[letter], 0),
      pgoff: file ? first + at : this.base + first + moved,
      anonPgoff: this.base + first + moved,
      file: file
        ? this.named(this.files, file, () => new AddressSpace(k.newLock('file', 'rwsem'), 100))
        : null,
      anonVma: anon ? this.anonVma(anon) : null,
      uffd: uffd ? this.named(this.monitors, uffd, () => userfaultfd(k, this.mm)) : null,
    };
  }

  private area(first: number, end: number, traits: Traits = {}): Vma {
    const { flags, pgoff, anonPgoff, file, uffd } = this.shape(first, traits);
    const { base, mm } = this;
    const vma = new Vma(mm, base + first, base + end, flags, pgoff, anonPgoff, file);
    vma.uffd = uffd;
    return vma;
  }

  /** The first of the names, below the second. */
  private anonVma([own, parent]: string): AnonVma {
    return this.named(this.anonVmas, own, () => {
      const { k } = this;
      const anonVma = new AnonVma(k.newLock('anon_vma', 'rwsem'));
      anonVma.number = k.addMapping(anonVma);
      if (parent) {
        anonVma.parent = this.anonVma(parent);
        anonVma.root = anonVma.parent.root;
        anonVma.root.refcount++;
      }
      anonVma.parent.numChildren++;
      return anonVma;
    });
  }

  private linkAnonVmas(vma: Vma, names: string): void {
    if (!names) return;
    vma.anonVma = this.anonVma(names);
    vma.anonVma.numActiveVmas++;
    for (const name of [...names].reverse()) {
      const chain = new AnonVmaChain(vma, this.anonVma(name));
      vma.anonVmaChain.unshift(chain);
      insertByOffset(chain.anonVma.chains, chain, (other) => other.vma.anonPgoff);
    }
  }

  letterOf(vma: Vma): string | undefined {
    return [...this.areas].find(([, area]) => area === vma)?.[0];
  }

  /** How it is now; `returned` is the range's own area. */
  drawing(length: number, returned: Vma | null): string {
    const pages = Array<string>(length).fill('.');
    for (const vma of this.mm.vmas) {
      const letter = this.letterOf(vma) ?? (vma === returned ? '#' : '+');
      pages.fill(letter, vma.start - this.base, vma.end - this.base);
    }
    return pages.join('');
  }

  /** The names of the anon_vmas that an area is in, its own first where it has one. */
  anonOf(vma: Vma): string {
    const nameOf = (anonVma: AnonVma) =>
      [...this.anonVmas].find(([, other]) => other === anonVma)?.[0] ?? '?';
    const names = vma.anonVmaChain.map(({ anonVma }) => nameOf(anonVma));
    if (!vma.anonVma) return names.join('');
    const own = nameOf(vma.anonVma);
    expect(names).toContain(own);
    return own + names.filter((name) => name !== own).join('');
  }

  /** By page: offsets in the file and of anonymous pages. */
  offsets(drawing: string, of: (letter: string) => Traits | undefined) {
    return runs(drawing).flatMap(({ letter, first, end }) => {
      const { pgoff, anonPgoff, file, flags } = this.shape(first, of(letter));
      const shared = file !== null && (flags & VM_SHARED) !== 0;
      return Array.from({ length: end - first }, (_, i) => ({
        page: first + i,
        pgoff: pgoff + i,
        // nothing of a shared file is ever anonymous
        anonPgoff: shared ? null : anonPgoff + i,
      }));
    });
  }

  /** The same of what is there now. */
  offsetsNow() {
    return this.mm.vmas.flatMap(({ start, end, pgoff, anonPgoff, file, flags }) =>
      Array.from({ length: end - start }, (_, i) => ({
        page: start - this.base + i,
        pgoff: pgoff + i,
        anonPgoff: file && flags & VM_SHARED ? null : anonPgoff + i,
      })),
    );
  }

  /** That trees have each area that is there, once and where it belongs, and nobody else. */
  checkTrees(): void {
    const { vmas } = this.mm;
    expect(vmas.filter(({ pages }) => pages < 1)).toEqual([]);
    for (const anonVma of this.anonVmas.values()) {
      const inIt = anonVma.chains.map(({ vma }) => vma);
      const should = vmas.filter((vma) => vma.anonVmaChain.some((c) => c.anonVma === anonVma));
      expect(new Set(inIt)).toEqual(new Set(should));
      expect(inIt.length).toBe(should.length);
      const offsets = inIt.map(({ anonPgoff }) => anonPgoff);
      expect(offsets).toEqual(offsets.toSorted((a, b) => a - b));
      expect(anonVma.numActiveVmas).toBe(vmas.filter((vma) => vma.anonVma === anonVma).length);
    }
    for (const file of this.files.values()) {
      expect(new Set(file.vmas)).toEqual(new Set(vmas.filter((vma) => vma.file === file)));
      const offsets = file.vmas.map(({ pgoff }) => pgoff);
      expect(offsets).toEqual(offsets.toSorted((a, b) => a - b));
    }
    for (const [, vma] of this.areas) expect(vma.detached).toBe(!vmas.includes(vma));
    expect(this.k.findings).toEqual([]);
  }
}

/** Compares what came of a change with its drawing. */
function compare(drawn: Drawn, c: Case, returned: Vma | null): void {
  const first = c.change.indexOf('#');
  expect(drawn.drawing(c.before.length, returned)).toBe(c.result);
  if (returned) expect(returned).toBe(drawn.mm.lookupVma(drawn.base + first));
  // a page keeps its offsets, whichever area it is in
  const there = drawn.offsets(c.before, (letter) => c.areas?.[letter]);
  const range = drawn.offsets(c.change, () => c.range);
  const now = drawn.offsetsNow();
  const expected = new Map([...range, ...there].map((page) => [page.page, page]));
  expect(now).toEqual(now.map(({ page }) => expected.get(page)));
  for (const [letter, vma] of drawn.areas) {
    if (vma.detached) continue;
    const { anon = '', flags = 'rw' } = c.areas?.[letter] ?? {};
    expect([letter, drawn.anonOf(vma)]).toEqual([letter, c.anon?.[letter] ?? anon]);
    const dirty = flags.includes('d') || c.dirty?.includes(letter) === true;
    expect([letter, (vma.flags & VM_SOFTDIRTY) !== 0]).toEqual([letter, dirty]);
  }
  drawn.checkTrees();
}

describe('a new range', () => {
  const NEW: Case[] = [
    {
      name: 'far from others stays alone',
      before: 'AA.....CC',
      change: '   ###   ',
      result: 'AA.....CC',
    },
    {
      name: 'right behind an area makes it longer',
      before: 'AAA......',
      change: '   ###   ',
      result: 'AAAAAA...',
    },
    {
      name: 'right before an area lets it begin earlier',
      before: '......CCC',
      change: '   ###   ',
      result: '...CCCCCC',
    },
    {
      name: 'between two closes the gap: the one before it takes all',
      before: 'AAA...CCC',
      change: '   ###   ',
      result: 'AAAAAAAAA',
    },
    {
      name: 'with other permissions than the one before joins the one behind',
      before: 'AAA...CCC',
      change: '   ###   ',
      result: 'AAACCCCCC',
      areas: { A: { flags: 'r' } },
    },
    {
      name: 'with other permissions than the one behind joins the one before',
      before: 'AAA...CCC',
      change: '   ###   ',
      result: 'AAAAAACCC',
      areas: { C: { flags: 'r' } },
    },
    {
      name: 'with other permissions than both stays alone',
      before: 'AAA...CCC',
      change: '   ###   ',
      result: 'AAA...CCC',
      range: { flags: 'r' },
    },
    {
      name: 'that is soft-dirty joins those that are not, and they are then',
      before: 'AAA...CCC',
      change: '   ###   ',
      result: 'AAAAAAAAA',
      range: { flags: 'rwd' },
      dirty: 'A',
    },
    {
      name: 'joins one that is soft-dirty behind it, and so is all',
      before: 'AAA...CCC',
      change: '   ###   ',
      result: 'AAAAAAAAA',
      areas: { C: { flags: 'rwd' } },
      dirty: 'A',
    },
    {
      name: 'that is soft-dirty makes the one behind it so',
      before: '......CCC',
      change: '   ###   ',
      result: '...CCCCCC',
      range: { flags: 'rwd' },
      dirty: 'C',
    },
    {
      name: 'of a driver joins nobody, not even its like',
      before: 'AAA...CCC',
      change: '   ###   ',
      result: 'AAA...CCC',
      areas: { A: { flags: 'rwm' }, C: { flags: 'rwm' } },
      range: { flags: 'rwm' },
    },
    {
      name: 'joins one that has an anon_vma',
      before: 'AAA......',
      change: '   ###   ',
      result: 'AAAAAA...',
      areas: { A: { anon: 'x' } },
    },
    {
      name: 'between two with the same anon_vma closes the gap',
      before: 'AAA...CCC',
      change: '   ###   ',
      result: 'AAAAAAAAA',
      areas: { A: { anon: 'x' }, C: { anon: 'x' } },
    },
    {
      name: 'between two with an anon_vma each joins the one before; the other keeps its own',
      before: 'AAA...CCC',
      change: '   ###   ',
      result: 'AAAAAACCC',
      areas: { A: { anon: 'x' }, C: { anon: 'y' } },
    },
    {
      name: 'brings the anon_vma of the one behind to the one before',
      before: 'AAA...CCC',
      change: '   ###   ',
      result: 'AAAAAAAAA',
      areas: { C: { anon: 'y' } },
      anon: { A: 'y' },
    },
    {
      name: 'between two, of which the first has an anon_vma',
      before: 'AAA...CCC',
      change: '   ###   ',
      result: 'AAAAAAAAA',
      areas: { A: { anon: 'x' } },
    },
    {
      name: 'joins no area with pages of a parent: they would be looked for in its pages',
      before: 'AAA...CCC',
      change: '   ###   ',
      result: 'AAACCCCCC',
      areas: { A: { anon: 'xp' } },
    },
    {
      name: 'joins no area behind it with pages of a parent',
      before: 'AAA...CCC',
      change: '   ###   ',
      result: 'AAAAAACCC',
      areas: { C: { anon: 'xp' } },
    },
    {
      name: 'of a file, whose offsets go on before and behind',
      before: 'AAA...CCC',
      change: '   ###   ',
      result: 'AAAAAAAAA',
      areas: { A: { file: 'f' }, C: { file: 'f' } },
      range: { file: 'f' },
    },
    {
      name: 'of a file joins no anonymous memory, nor another file',
      before: 'AAA...CCC',
      change: '   ###   ',
      result: 'AAA...CCC',
      areas: { C: { file: 'g' } },
      range: { file: 'f' },
    },
    {
      name: 'of a file, another part of which is before it',
      before: 'AAA...CCC',
      change: '   ###   ',
      result: 'AAACCCCCC',
      areas: { A: { file: 'f', at: 1 }, C: { file: 'f' } },
      range: { file: 'f' },
    },
    {
      name: 'of a file, another part of which is behind it',
      before: 'AAA...CCC',
      change: '   ###   ',
      result: 'AAAAAACCC',
      areas: { A: { file: 'f' }, C: { file: 'f', at: -1 } },
      range: { file: 'f' },
    },
    {
      name: 'of a private file, whose anonymous pages before and behind were moved there',
      before: 'AAA...CCC',
      change: '   ###   ',
      result: 'AAA...CCC',
      areas: { A: { file: 'f', moved: 50 }, C: { file: 'f', moved: 50 } },
      range: { file: 'f' },
    },
    {
      name: 'of a shared file, which has no anonymous pages: only the offset in the file counts',
      before: 'AAA...CCC',
      change: '   ###   ',
      result: 'AAAAAAAAA',
      areas: {
        A: { file: 'f', flags: 'rws', moved: 50 },
        C: { file: 'f', flags: 'rws', moved: 9 },
      },
      range: { file: 'f', flags: 'rws' },
    },
    {
      name: 'beside memory that was moved there from elsewhere',
      before: 'AAA...CCC',
      change: '   ###   ',
      result: 'AAA...CCC',
      areas: { A: { anon: 'x', moved: 50 }, C: { anon: 'x', moved: -7 } },
    },
    {
      name: 'joins no area that a monitor watches',
      before: 'AAA...CCC',
      change: '   ###   ',
      result: 'AAACCCCCC',
      areas: { A: { flags: 'rw', uffd: 'm' } },
    },
  ];

  it.each(NEW)('$name', (c) => {
    const drawn = new Drawn(c.before, c.areas);
    const [{ first, end }] = runs(c.change);
    const { k, mm, base } = drawn;
    const merged = vmaMergeNewRange(k, mm.vmas, {
      start: base + first,
      end: base + end,
      ...drawn.shape(first, c.range),
      copiedFrom: null,
    });
    expect(merged === null).toBe(c.result === c.before);
    compare(drawn, c, merged);
  });
});

describe('a range that a move copies (of S, at the left)', () => {
  const COPIED: Case[] = [
    {
      name: 'goes on where the pages of the area before it end',
      before: 'SSS.AAA......',
      change: '       ###   ',
      result: 'SSS.AAAAAA...',
      areas: { S: { anon: 'x', moved: 7 }, A: { anon: 'x' } },
      range: { anon: 'x' },
    },
    {
      name: 'has other offsets than its new neighbours',
      before: 'SSS.AAA...CCC',
      change: '       ###   ',
      result: 'SSS.AAA...CCC',
      areas: { S: { anon: 'x' }, A: { anon: 'x' }, C: { anon: 'x' } },
      range: { anon: 'x', moved: -7 },
    },
    {
      name: 'brings its anon_vma to an area before it that has none',
      before: 'SSS.AAA......',
      change: '       ###   ',
      result: 'SSS.AAAAAA...',
      areas: { S: { anon: 'x', moved: 7 } },
      range: { anon: 'x' },
      anon: { A: 'x' },
    },
    {
      name: 'brings its anon_vma to an area behind it that has none',
      before: 'SSS.......CCC',
      change: '       ###   ',
      result: 'SSS....CCCCCC',
      areas: { S: { anon: 'x', moved: 7 } },
      range: { anon: 'x' },
      anon: { C: 'x' },
    },
    {
      name: 'with an anon_vma joins none with another',
      before: 'SSS.AAA...CCC',
      change: '       ###   ',
      result: 'SSS.AAA...CCC',
      areas: { S: { anon: 'x', moved: 7 }, A: { anon: 'y' }, C: { anon: 'z' } },
      range: { anon: 'x' },
    },
    {
      name: 'of a forked child brings no anon_vma: a parent’s pages may be among the pages',
      before: 'SSS.AAA...CCC',
      change: '       ###   ',
      result: 'SSS.AAA...CCC',
      areas: { S: { anon: 'xp', moved: 7 } },
      range: { anon: 'xp' },
    },
    {
      name: 'of a forked child joins one that has the same',
      before: 'SSS.AAA......',
      change: '       ###   ',
      result: 'SSS.AAAAAA...',
      areas: { S: { anon: 'xp', moved: 7 }, A: { anon: 'xp' } },
      range: { anon: 'xp' },
    },
    {
      name: 'without pages joins any neighbour',
      before: 'SSS.AAA...CCC',
      change: '       ###   ',
      result: 'SSS.AAAAAAAAA',
      areas: { C: { anon: 'z' } },
      anon: { A: 'z' },
    },
    {
      name: 'that a monitor watches joins nobody: the copy has no monitor',
      before: 'SSS.AAA...CCC',
      change: '       ###   ',
      result: 'SSS.AAA...CCC',
      areas: { S: { flags: 'rwu', uffd: 'm' }, A: { flags: 'rwu', uffd: 'm' } },
      range: { flags: 'rwu', uffd: 'm' },
    },
  ];

  it.each(COPIED)('$name', (c) => {
    const drawn = new Drawn(c.before, c.areas);
    const [{ first, end }] = runs(c.change);
    const { k, mm, base } = drawn;
    const merged = vmaMergeNewRange(k, mm.vmas, {
      start: base + first,
      end: base + end,
      ...drawn.shape(first, c.range),
      copiedFrom: drawn.areas.get('S') as Vma,
    });
    expect(merged === null).toBe(c.result === c.before);
    compare(drawn, c, merged);
  });
});

describe('a part of M, which is read-only and is to be writable', () => {
  const M: Traits = { flags: 'r' };
  const MODIFIED: Case[] = [
    {
      name: 'all of it, alone: nothing moves',
      before: '..MMMM..',
      change: '  ####  ',
      result: '..MMMM..',
    },
    {
      name: 'all of it, like the one before: M is gone',
      before: 'AAMMMM..',
      change: '  ####  ',
      result: 'AAAAAA..',
    },
    {
      name: 'all of it, like the one behind: M is gone',
      before: '..MMMMCC',
      change: '  ####  ',
      result: '..CCCCCC',
    },
    {
      name: 'all of it, like both: only the first is left',
      before: 'AAMMMMCC',
      change: '  ####  ',
      result: 'AAAAAAAA',
    },
    {
      name: 'its beginning, like the one before: that grows, M shrinks',
      before: 'AAMMMMCC',
      change: '  ##    ',
      result: 'AAAAMMCC',
    },
    {
      name: 'its end, like the one behind: that begins earlier, M shrinks',
      before: 'AAMMMMCC',
      change: '    ##  ',
      result: 'AAMMCCCC',
    },
    {
      name: 'its middle: three parts',
      before: 'AAMMMMCC',
      change: '   ##   ',
      result: 'AAM##+CC',
    },
    {
      name: 'its beginning, like nobody: M is the part that changes, the rest is split off',
      before: '..MMMMCC',
      change: '  ##    ',
      result: '..MM++CC',
    },
    {
      name: 'its end, like nobody: the part that changes is split off',
      before: 'AAMMMM..',
      change: '    ##  ',
      result: 'AAMM##..',
    },
    {
      name: 'all of it, beside areas that are like what it was',
      before: 'AAMMMMCC',
      change: '  ####  ',
      result: 'AAMMMMCC',
      areas: { A: { flags: 'r' }, C: { flags: 'r' } },
    },
    {
      name: 'all of it, but nobody is right beside it',
      before: 'A.MMMM.C',
      change: '  ####  ',
      result: 'A.MMMM.C',
    },
    {
      name: 'all of it, but nobody is right beside it, although their offsets go on',
      before: 'A.MMMM.C',
      change: '  ####  ',
      result: 'A.MMMM.C',
      areas: { A: { moved: 1 }, C: { moved: -1 } },
    },
    {
      name: 'all of it has pages, those beside it have none: the first gets its anon_vma',
      before: 'AAMMMMCC',
      change: '  ####  ',
      result: 'AAAAAAAA',
      areas: { M: { ...M, anon: 'x' } },
      anon: { A: 'x' },
    },
    {
      name: 'its beginning has pages: the one before gets its anon_vma, M keeps it',
      before: 'AAMMMM..',
      change: '  ##    ',
      result: 'AAAAMM..',
      areas: { M: { ...M, anon: 'x' } },
      anon: { A: 'x' },
    },
    {
      name: 'its end has pages: the one behind gets its anon_vma, M keeps it',
      before: '..MMMMCC',
      change: '    ##  ',
      result: '..MMCCCC',
      areas: { M: { ...M, anon: 'x' } },
      anon: { C: 'x' },
    },
    {
      name: 'all of it without pages: the first gets the anon_vma of the last',
      before: 'AAMMMMCC',
      change: '  ####  ',
      result: 'AAAAAAAA',
      areas: { C: { anon: 'z' } },
      anon: { A: 'z' },
    },
    {
      name: 'all of it, all with the same anon_vma',
      before: 'AAMMMMCC',
      change: '  ####  ',
      result: 'AAAAAAAA',
      areas: { A: { anon: 'x' }, M: { ...M, anon: 'x' }, C: { anon: 'x' } },
    },
    {
      name: 'all of it, between two with an anon_vma each: joins the first, the last stays',
      before: 'AAMMMMCC',
      change: '  ####  ',
      result: 'AAAAAACC',
      areas: { A: { anon: 'x' }, C: { anon: 'z' } },
    },
    {
      name: 'all of it, with an anon_vma that the one before does not have: joins the one behind',
      before: 'AAMMMMCC',
      change: '  ####  ',
      result: 'AACCCCCC',
      areas: { A: { anon: 'x' }, M: { ...M, anon: 'y' } },
      anon: { C: 'y' },
    },
    {
      name: 'its beginning, with another anon_vma than the one before',
      before: 'AAMMMM..',
      change: '  ##    ',
      result: 'AAMM++..',
      areas: { A: { anon: 'x' }, M: { ...M, anon: 'y' } },
    },
    {
      name: 'its end, with another anon_vma than the one behind',
      before: '..MMMMCC',
      change: '    ##  ',
      result: '..MM##CC',
      areas: { M: { ...M, anon: 'y' }, C: { anon: 'z' } },
    },
    {
      name: 'all of it, with pages of a parent: brings them to nobody',
      before: 'AAMMMMCC',
      change: '  ####  ',
      result: 'AAMMMMCC',
      areas: { M: { ...M, anon: 'xp' } },
    },
    {
      name: 'all of it without pages, beside a child’s areas with a parent’s: joins none',
      before: 'AAMMMMCC',
      change: '  ####  ',
      result: 'AAMMMMCC',
      areas: { A: { anon: 'xp' }, C: { anon: 'yp' } },
    },
    {
      name: 'its middle, with pages of a parent: each part is in all of them',
      before: '..MMMM..',
      change: '   ##   ',
      result: '..M##+..',
      areas: { M: { ...M, anon: 'xp' } },
    },
    {
      name: 'all of it, which is soft-dirty: so is what it joins',
      before: 'AAMMMMCC',
      change: '  ####  ',
      result: 'AAAAAAAA',
      areas: { M: { flags: 'rd' } },
      range: { flags: 'rwd' },
      dirty: 'A',
    },
    {
      name: 'all of it, before one that is soft-dirty: so is the first, which takes all',
      before: 'AAMMMMCC',
      change: '  ####  ',
      result: 'AAAAAAAA',
      areas: { C: { flags: 'rwd' } },
      dirty: 'A',
    },
    {
      name: 'its beginning, which is soft-dirty: so is what it joins',
      before: 'AAMMMM..',
      change: '  ##    ',
      result: 'AAAAMM..',
      areas: { M: { flags: 'rd' } },
      range: { flags: 'rwd' },
      dirty: 'A',
    },
    {
      name: 'all of it, a driver’s: joins nobody',
      before: 'AAMMMMCC',
      change: '  ####  ',
      result: 'AAMMMMCC',
      areas: { A: { flags: 'rwm' }, M: { flags: 'rm' }, C: { flags: 'rwm' } },
      range: { flags: 'rwm' },
    },
    {
      name: 'all of it, of a file whose parts go on',
      before: 'AAMMMMCC',
      change: '  ####  ',
      result: 'AAAAAAAA',
      areas: { A: { file: 'f' }, M: { ...M, file: 'f' }, C: { file: 'f' } },
      range: { file: 'f' },
    },
    {
      name: 'its end, of a private file: joins the one behind',
      before: '..MMMMCC',
      change: '    ##  ',
      result: '..MMCCCC',
      areas: { M: { ...M, file: 'f' }, C: { file: 'f' } },
      range: { file: 'f' },
    },
    {
      name: 'its middle, of a file: each part has its offset',
      before: '..MMMM..',
      change: '   ##   ',
      result: '..M##+..',
      areas: { M: { ...M, file: 'f', at: 30 } },
      range: { file: 'f', at: 30 },
    },
    {
      name: 'all of it, of a file, beside another part of it and another file',
      before: 'AAMMMMCC',
      change: '  ####  ',
      result: 'AAMMMMCC',
      areas: { A: { file: 'f', at: 1 }, M: { ...M, file: 'f' }, C: { file: 'g' } },
      range: { file: 'f' },
    },
    {
      name: 'all of it, of a private file, whose anonymous pages were moved there: joins its like',
      before: 'AAMMMMCC',
      change: '  ####  ',
      result: 'AACCCCCC',
      areas: { A: { file: 'f' }, M: { ...M, file: 'f', moved: 9 }, C: { file: 'f', moved: 9 } },
      range: { file: 'f', moved: 9 },
    },
    {
      name: 'all of it, moved there from elsewhere: joins nobody who was not',
      before: 'AAMMMMCC',
      change: '  ####  ',
      result: 'AAMMMMCC',
      areas: { A: { anon: 'x' }, M: { ...M, anon: 'x', moved: 9 }, C: { anon: 'x' } },
      range: { moved: 9 },
    },
    {
      name: 'all of it gets the monitor of the one before it',
      before: 'AAMMMMCC',
      change: '  ####  ',
      result: 'AAAAAACC',
      areas: { A: { flags: 'rwu', uffd: 'm' }, M: { flags: 'rw' } },
      range: { flags: 'rwu', uffd: 'm' },
    },
    {
      name: 'its middle, which a monitor watches: so it does with each part',
      before: '..MMMM..',
      change: '   ##   ',
      result: '..M##+..',
      areas: { M: { flags: 'ru', uffd: 'm' } },
      range: { flags: 'rwu', uffd: 'm' },
    },
    {
      name: 'all of it gets another monitor than those beside it',
      before: 'AAMMMMCC',
      change: '  ####  ',
      result: 'AAMMMMCC',
      areas: {
        A: { flags: 'rwu', uffd: 'm' },
        M: { flags: 'rw' },
        C: { flags: 'rwu', uffd: 'n' },
      },
      range: { flags: 'rwu', uffd: 'o' },
    },
  ];

  it.each(MODIFIED)('$name', (given) => {
    const c = { ...given, areas: { M, ...given.areas } };
    const drawn = new Drawn(c.before, c.areas);
    const { k, base } = drawn;
    const [{ first, end }] = runs(c.change);
    const { flags, uffd } = drawn.shape(first, c.range);
    const middle = drawn.areas.get('M') as Vma;
    const change = vmaModifyFlags(k, middle, base + first, base + end, flags, uffd);
    const part = runToEnd(k, change);
    expect(part.start <= base + first && part.end >= base + end).toBe(true);
    compare(drawn, c, part);
    // what was split off is as M was
    const { anon, flags: were, uffd: monitor } = c.areas.M;
    for (const vma of drawn.mm.vmas.filter((one) => !drawn.letterOf(one))) {
      expect(drawn.anonOf(vma)).toBe(anon ?? '');
      expect(vma.flags).toBe(drawn.shape(0, { flags: were }).flags);
      expect(vma.uffd).toBe(drawn.shape(0, monitor ? { uffd: monitor } : {}).uffd);
      expect(vma.pageProt).toBe(middle.pageProt);
    }
  });
});

describe('the anon_vma of N, which is about to have its first page', () => {
  it.each<{ name: string; before: string; areas: Record<string, Traits>; whose: string | null }>([
    {
      name: 'is the one of the area behind',
      before: '..NNNNCC',
      areas: { C: { anon: 'z' } },
      whose: 'C',
    },
    {
      name: 'is the one of the area before',
      before: 'AANNNN..',
      areas: { A: { anon: 'x' } },
      whose: 'A',
    },
    {
      name: 'is rather the one of the area behind',
      before: 'AANNNNCC',
      areas: { A: { anon: 'x' }, C: { anon: 'z' } },
      whose: 'C',
    },
    {
      name: 'is that of an area with other permissions: they may be alike again one day',
      before: 'AANNNN..',
      areas: { A: { flags: 'r', anon: 'x' }, N: { flags: 'rwd' } },
      whose: 'A',
    },
    {
      name: 'is a new one where nobody has any',
      before: 'AANNNNCC',
      areas: {},
      whose: null,
    },
    {
      name: 'is not that of an area which is not right beside it, although offsets go on',
      before: 'A.NNNN.C',
      areas: { A: { anon: 'x', moved: 1 }, C: { anon: 'z', moved: -1 } },
      whose: null,
    },
    {
      name: 'is not that of an area that is otherwise another: shared, or of a file',
      before: 'AANNNNCC',
      areas: { A: { flags: 'rws', anon: 'x' }, C: { file: 'f', anon: 'z' } },
      whose: null,
    },
    {
      name: 'is not that of memory which was moved there',
      before: 'AANNNNCC',
      areas: { A: { anon: 'x', moved: 9 }, C: { anon: 'z', moved: 9 } },
      whose: null,
    },
    {
      name: 'of a file is not that of another file',
      before: 'AANNNNCC',
      areas: { A: { file: 'g', anon: 'x' }, N: { file: 'f' }, C: { file: 'g', anon: 'z' } },
      whose: null,
    },
    {
      name: 'of a file is not that of another part of it, nor where anonymous pages were moved',
      before: 'AANNNNCC',
      areas: {
        A: { file: 'f', anon: 'x', at: 1 },
        N: { file: 'f' },
        C: { file: 'f', anon: 'z', moved: 9 },
      },
      whose: null,
    },
    {
      name: 'is not that of an area with pages of a parent',
      before: 'AANNNNCC',
      areas: { A: { anon: 'xp' }, C: { anon: 'yp' } },
      whose: null,
    },
  ])('$name', ({ before, areas, whose }) => {
    const drawn = new Drawn(before, areas);
    const found = findMergeableAnonVma(drawn.areas.get('N') as Vma);
    const should = whose && drawn.areas.get(whose)?.anonVma;
    expect(found).toBe(should);
    drawn.checkTrees();
  });
});
