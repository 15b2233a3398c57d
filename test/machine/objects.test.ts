import { describe, expect, it } from 'vitest';
import {
  ADDRESS_SPACES,
  cachePageOf,
  DEVICE_MEMORY,
  deviceFlagsOf,
  FILE_PAGES,
  flagsOf,
  HUGE_POOL,
  notifierOf,
  OWN_LOCKS,
  PINS,
  PROGRAM,
  PTE_MAX_PFN,
  pinOf,
  RAM,
  SUBSCRIPTIONS,
  USERFAULTFDS,
  userfaultfdOf,
  usersOf,
  writeProtectOf,
} from '../../src/machine/index.ts';
import { Kernel, userfaultfd } from '../../src/mm/index.ts';
import { OPS, PROC } from '../../src/program/ops.ts';

/** The numbers that more than one of them has. */
function shared(numbers: readonly number[]): number[] {
  const seen = new Set<number>();
  return numbers.filter((number) => seen.size === seen.add(number).size);
}

const upTo = (count: number): number[] => [...Array(count).keys()];

describe('numbers by which steps name objects', () => {
  it('tells locks of page tables from all others', () => {
    const k = new Kernel({ pmdOrder: 2 });
    const tables = upTo(2000).map(() => k.tables.lockOf(k.tables.alloc() << k.tables.strideShift));
    const mm = k.newMm();
    const own = [mm.mmapLock, mm.pageTableLock, k.newLock('a lock', 'mutex')];
    for (const { id } of tables) expect(id).toBeLessThan(OWN_LOCKS);
    for (const { id } of own) expect(id).toBeGreaterThanOrEqual(OWN_LOCKS);
    expect(shared([...tables, ...own].map(({ id }) => id))).toEqual([]);
  });

  it('tells what is allocated apart', () => {
    expect(shared([RAM, HUGE_POOL])).toEqual([]);
    expect(DEVICE_MEMORY).toBe(0);
  });

  it('tells the states of address spaces apart', () => {
    // the first and the last numbers of each family
    const ids = upTo(1000).flatMap((i) => [i + 1, ADDRESS_SPACES - 1 - i]);
    const numbers = ids.flatMap((id) => [
      id,
      flagsOf({ id }),
      writeProtectOf({ id }),
      usersOf({ id }),
    ]);
    expect(shared(numbers)).toEqual([]);
    expect(PROC.max).toBeLessThan(ADDRESS_SPACES);
  });

  it('tells notifiers from each other and from whom they subscribe to', () => {
    const k = new Kernel({ pmdOrder: 2 });
    const numbers = upTo(PROC.max + 1).flatMap(() => {
      const { lock } = k.newMm().subscriptions;
      return [lock.id, ...upTo(3 * SUBSCRIPTIONS - 1).map((i) => notifierOf(lock, i + 1))];
    });
    expect(shared(numbers)).toEqual([]);
  });

  it('tells pages of files apart', () => {
    expect(FILE_PAGES).toBe(PTE_MAX_PFN);
    const ends = upTo(1000).flatMap((file) => [
      cachePageOf(file + 1, 0),
      cachePageOf(file + 1, 1),
      cachePageOf(file + 1, FILE_PAGES - 1),
    ]);
    expect(shared(ends)).toEqual([]);
    for (const number of ends) expect(number).toBeLessThan(2 ** 53 / 32);
  });

  it('tells userfaultfds apart', () => {
    const k = new Kernel({ pmdOrder: 2 });
    const numbers = upTo(PROC.max + 1).flatMap(() => {
      const mm = k.newMm();
      return upTo(USERFAULTFDS).map((count) => {
        const { id } = userfaultfd(k, mm);
        expect(id).toBe(userfaultfdOf(mm, count));
        return id;
      });
    });
    expect(shared(numbers)).toEqual([]);
  });

  it('tells what a program keeps apart: pins, flags of devices, all of it', () => {
    const k = new Kernel({ pmdOrder: 2 });
    const pins = upTo(PROC.max + 1).flatMap((proc) => upTo(PINS).map((id) => pinOf(proc, id)));
    const devices = upTo(100).map(() => deviceFlagsOf(k.newLock('mirror', 'mutex')));
    expect(shared([PROGRAM, ...pins, ...devices])).toEqual([]);
    expect(OPS.pin.id.max).toBe(PINS - 1);
    expect(OPS.gup.id.max).toBe(PINS - 1);
  });
});
