import { describe, expect, it } from 'vitest';
import { runStepping, runToEnd, StepKind } from '../../src/machine/index.ts';
import {
  cpuReadPage,
  cpuReadWord,
  cpuWritePage,
  cpuWriteWord,
  Kernel,
  mmapRegion,
  mprotect,
  newFile,
  SIGBUS,
  SIGSEGV,
  VM_READ,
  VM_SHARED,
  VM_WRITE,
} from '../../src/mm/index.ts';

const START = 0x1000;

function setUp() {
  const k = new Kernel({ poison: true });
  const mm = k.newMm();
  runToEnd(k, mmapRegion(k, mm, START, START + 2, VM_READ | VM_WRITE, null));
  const page = Uint8Array.from({ length: k.geometry.pageBytes }, (_, i) => i * 7);
  return { k, mm, page, into: new Uint8Array(page.length).fill(0xee) };
}

describe('accesses to whole pages', () => {
  it('read what was written, every byte, and zeros where nothing was', () => {
    const { k, mm, page, into } = setUp();
    expect(runToEnd(k, cpuWritePage(k, mm, START, page))).toBe(0);
    expect(runToEnd(k, cpuReadPage(k, mm, START, into))).toBe(0);
    expect(into).toEqual(page);
    expect(runToEnd(k, cpuReadPage(k, mm, START + 1, into))).toBe(0);
    expect(into.every((byte) => byte === 0)).toBe(true);
    runToEnd(k, cpuWriteWord(k, mm, START, 0x99));
    runToEnd(k, cpuReadPage(k, mm, START, into));
    expect([into[0], into[7], into[8]]).toEqual([0x99, 0, page[8]]);
    runToEnd(k, cpuWritePage(k, mm, START, into.fill(1)));
    expect(runToEnd(k, cpuReadWord(k, mm, START))).toBe(0x01010101 * (2 ** 32 + 1));
  });

  it('are refused as accesses to a word are', () => {
    const { k, mm, page, into } = setUp();
    expect(runToEnd(k, cpuReadPage(k, mm, START + 2, into))).toBe(SIGSEGV);
    runToEnd(k, mprotect(k, mm, START, START + 2, VM_READ));
    expect(runToEnd(k, cpuWritePage(k, mm, START, page))).toBe(SIGSEGV);
    const file = newFile(k, 1);
    runToEnd(k, mmapRegion(k, mm, 0x2000, 0x2002, VM_READ | VM_SHARED, file));
    expect(runToEnd(k, cpuReadPage(k, mm, 0x2001, into))).toBe(SIGBUS);
    expect(into.every((byte) => byte === 0xee)).toBe(true);
  });

  it('tell who watches, and take the step of an access', () => {
    const { k, mm, page, into } = setUp();
    const seen: unknown[] = [];
    const onCpuAccess = (...args: unknown[]) => seen.push([args[0], args[1], args[3], args[4]]);
    k.monitor = new Proxy({} as never, {
      get: (_, name) => (name === 'onCpuAccess' ? onCpuAccess : () => {}),
    });
    const kinds = new Set<number>();
    page.fill(0, 1, 8)[0] = 5;
    runStepping(k, cpuWritePage(k, mm, START, page), ({ kind }) => kinds.add(kind));
    runStepping(k, cpuReadPage(k, mm, START, into), ({ kind }) => kinds.add(kind));
    expect(seen).toEqual([
      [mm.id, START, 5, true],
      [mm.id, START, 5, false],
    ]);
    expect(kinds).toContain(StepKind.CpuAccess);
  });
});
