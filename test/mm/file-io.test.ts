import { describe, expect, it } from 'vitest';
import { runStepping, runToEnd } from '../../src/machine/index.ts';
import {
  type AddressSpace,
  checkEmpty,
  checkQuiescent,
  closeFile,
  cpuReadWord,
  cpuWriteWord,
  exitMmap,
  fileRead,
  fileWrite,
  fillFile,
  Kernel,
  mmapRegion,
  munmap,
  newFile,
  VM_READ,
  VM_SHARED,
  VM_WRITE,
} from '../../src/mm/index.ts';

const START = 0x1000;

function setUp(pages: number, firstWord: ((page: number) => number) | null = null) {
  const k = new Kernel({ poison: true });
  const mm = k.newMm();
  const file = newFile(k, pages);
  if (firstWord) runToEnd(k, fillFile(k, file, firstWord));
  file.opened++;
  const map = (shared: boolean) => {
    const flags = VM_READ | VM_WRITE | (shared ? VM_SHARED : 0);
    return runToEnd(k, mmapRegion(k, mm, START, START + pages, flags, file));
  };
  return { k, mm, file, map };
}

/** Pages whose first byte is `first + page`. */
function data(k: Kernel, pages: number, first: number): Uint8Array {
  const bytes = new Uint8Array(pages * k.geometry.pageBytes);
  for (let i = 0; i < pages; i++) bytes[i * k.geometry.pageBytes] = first + i;
  return bytes;
}

function readFirst(k: Kernel, file: AddressSpace, start: number, pages: number): number[] {
  const into = new Uint8Array(pages * k.geometry.pageBytes).fill(0xee);
  const count = runToEnd(k, fileRead(k, file, start, into));
  return Array.from({ length: count }, (_, i) => into[i * k.geometry.pageBytes]);
}

describe('reading and writing a file', () => {
  it('reads holes as zeros, and leaves them', () => {
    const { k, file } = setUp(3);
    expect(readFirst(k, file, 0, 3)).toEqual([0, 0, 0]);
    expect(file.folios.size).toBe(0);
    expect(checkQuiescent(k)).toEqual([]);
  });

  it('reads what was written, up to the end of the file', () => {
    const { k, file } = setUp(4);
    expect(runToEnd(k, fileWrite(k, file, 1, data(k, 5, 7)))).toBe(3);
    expect(readFirst(k, file, 0, 9)).toEqual([0, 7, 8, 9]);
    expect(readFirst(k, file, 4, 1)).toEqual([]);
    expect(checkQuiescent(k)).toEqual([]);
  });

  it('shows in shared mappings, as what they write shows in the file', () => {
    const { k, mm, file, map } = setUp(2, (page) => 100 + page);
    expect(map(true)).toBe(0);
    expect(runToEnd(k, cpuReadWord(k, mm, START + 1))).toBe(101);
    runToEnd(k, fileWrite(k, file, 1, data(k, 1, 5)));
    expect(runToEnd(k, cpuReadWord(k, mm, START + 1))).toBe(5);
    runToEnd(k, cpuWriteWord(k, mm, START, 6));
    expect(readFirst(k, file, 0, 2)).toEqual([6, 5]);
  });

  it('does not show what a private mapping wrote', () => {
    const { k, mm, file, map } = setUp(1, () => 9);
    expect(map(false)).toBe(0);
    runToEnd(k, cpuWriteWord(k, mm, START, 6));
    expect(readFirst(k, file, 0, 1)).toEqual([9]);
  });

  it('says how many pages there was memory for', () => {
    const { k, file } = setUp(600);
    const limited = new Kernel({ ramPages: 64 });
    expect(runToEnd(k, fileWrite(k, file, 0, data(k, 600, 0)))).toBe(600);
    const small = newFile(limited, 600);
    const written = runToEnd(limited, fileWrite(limited, small, 0, data(limited, 600, 0)));
    expect(written).toBeGreaterThan(0);
    expect(written).toBeLessThan(64);
    expect(runToEnd(limited, fileWrite(limited, small, written, data(limited, 1, 0)))).toBe(-12);
  });

  it('keeps an open file that nobody maps; it goes with the last to close it', () => {
    const { k, mm, file, map } = setUp(2, (page) => 40 + page);
    map(true);
    runToEnd(k, munmap(k, mm, START, START + 2));
    expect(checkQuiescent(k)).toEqual([]);
    expect(readFirst(k, file, 0, 2)).toEqual([40, 41]);
    file.opened++;
    runToEnd(k, closeFile(k, file));
    expect(readFirst(k, file, 0, 2)).toEqual([40, 41]);
    runToEnd(k, closeFile(k, file));
    expect(file.folios.size).toBe(0);
    runToEnd(k, exitMmap(k, mm));
    expect(checkEmpty(k)).toEqual([]);
  });

  it('keeps a file that is closed while it is mapped', () => {
    const { k, mm, file, map } = setUp(1, () => 3);
    map(true);
    runToEnd(k, closeFile(k, file));
    expect(runToEnd(k, cpuReadWord(k, mm, START))).toBe(3);
    runToEnd(k, exitMmap(k, mm));
    expect(checkEmpty(k)).toEqual([]);
  });

  it('takes a step before everything that another CPU could see', () => {
    const { k, file } = setUp(2);
    const steps: number[] = [];
    runStepping(k, fileWrite(k, file, 0, data(k, 1, 5)), (step) => steps.push(step.kind));
    const into = new Uint8Array(2 * k.geometry.pageBytes);
    runStepping(k, fileRead(k, file, 0, into), (step) => steps.push(step.kind));
    expect(into[0]).toBe(5);
    expect(steps.length).toBeGreaterThan(8);
    runStepping(k, closeFile(k, file));
    expect(checkQuiescent(k)).toEqual([]);
  });
});
