/** That a flag is said in descriptions and shown in the lab: a new one must not be left out in silence. */
import { describe, expect, it } from 'vitest';
import * as page from '../../src/machine/page.ts';
import * as pte from '../../src/machine/pte.ts';
import { areaWords, LEAF_BITS, leafBits, PAGE_FLAGS } from '../../src/mm/look/flag-words.ts';
import * as vma from '../../src/mm/vma.ts';

/** The constants of a module that are one bit, by name. */
const bitsOf = (module: object, prefix: string) =>
  Object.entries(module).filter(
    (one): one is [string, number] =>
      one[0].startsWith(prefix) && typeof one[1] === 'number' && (one[1] & (one[1] - 1)) === 0,
  );

/** Flags without a word, and why. */
const UNSAID: Record<string, string> = {
  VM_ACCOUNT: 'follows from the rights an area ever had, and limits nothing that is modelled',
  VM_DONTEXPAND: 'comes with VM_HUGETLB, which is said',
  PTE_PRESENT: 'is what kind an entry is of',
  PTE_MAX_PFN: 'is no bit but a limit',
};

const unsaid = (bits: [string, number][], isSaid: (bit: number) => boolean) =>
  bits.filter(([name, bit]) => !isSaid(bit) && !(name in UNSAID)).map(([name]) => name);

describe('a word', () => {
  it('is there for every flag of an area', () => {
    const bits = bitsOf(vma, 'VM_');
    expect(bits.length).toBeGreaterThan(10);
    const none = areaWords(0).join();
    expect(unsaid(bits, (bit) => areaWords(bit).join() !== none)).toEqual([]);
  });

  it('is there for every flag of a page', () => {
    const bits = bitsOf(page, 'PG_');
    expect(bits.length).toBeGreaterThan(10);
    expect(unsaid(bits, (bit) => PAGE_FLAGS.some(([said]) => said === bit))).toEqual([]);
  });

  it('is there for every bit of an entry, and is explained', () => {
    const bits = bitsOf(pte, 'PTE_').filter(([name]) => !name.endsWith('_SHIFT'));
    expect(bits.length).toBeGreaterThan(6);
    const words = (bit: number) => leafBits(bit | pte.PTE_PRESENT);
    const none = words(0).join();
    expect(unsaid(bits, (bit) => words(bit).join() !== none)).toEqual([]);
    const explained = LEAF_BITS.map(([word]) => word);
    const said = bits.flatMap(([, bit]) => words(bit));
    expect(said.filter((word) => !explained.includes(word))).toEqual([]);
  });
});
