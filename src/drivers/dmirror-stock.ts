/**
 * The test driver with the guards that lib/test_hmm.c has, and no others: it compares the notifier's sequence, and that
 * is all. Where Linux goes wrong for want of more, it does too, and notes under which name (`flaws.ts`). What it looks at
 * for that, it does not act on.
 *
 * Models: lib/test_hmm.c
 */

import { ptePresent, pteWrite } from '../machine/pte.ts';
import { type Kernel$, ObjectKind, Role, StepKind } from '../machine/step.ts';
import type { Pte } from '../machine/units.ts';
import type { Kernel } from '../mm/kernel.ts';
import { isDevicePrivateWrite, isMigrationWrite } from '../mm/leafops.ts';
import { leafPfn } from '../mm/look/leaves.ts';
import type { Mm } from '../mm/mm.ts';
import { mmuIntervalInvalidating } from '../mm/mmu-notifier.ts';
import { hugeStart, pmdIsHuge, pmdpOf, pteOffsetMap } from '../mm/pgtable.ts';
import type { Dmirror } from './dmirror.ts';
import type { DmirrorDevice } from './dmirror-device.ts';
import { evictChunk } from './dmirror-evict.ts';
import { isStillExclusive } from './dmirror-mends.ts';
import { deviceTableStep } from './driver.ts';
import { InvalidationLog, MOVED } from './invalidation-log.ts';
import type { Mends } from './mends.ts';

/** Notes what was invalidated, without a step: nobody acts on it. */
function watched(dmirror: Dmirror, log: InvalidationLog): InvalidationLog {
  log.task = dmirror.k.current;
  dmirror.logs.add(log);
  return log;
}

/** What is asked of the machine by who only looks on. */
function asOnlooker<T>(k: Kernel, look: () => T): T {
  const { monitor } = k;
  k.monitor = null;
  const seen = look();
  k.monitor = monitor;
  return seen;
}

const mayWrite = (pte: Pte): boolean =>
  ptePresent(pte) ? pteWrite(pte) : isDevicePrivateWrite(pte) || isMigrationWrite(pte);

/** Whether the process has one of these pages there, writable if asked, and nobody is about to take it away. */
function hasThere(
  { k, mm, notifier }: Dmirror,
  vpn: number,
  pages: readonly number[],
  write: boolean,
): boolean {
  if (mmuIntervalInvalidating(notifier)) return false;
  return asOnlooker(k, () => {
    const pmdp = pmdpOf(k, mm, vpn);
    if (pmdp < 0) return false;
    const pmd = k.tables.entries[pmdp];
    const huge = pmdIsHuge(pmd);
    const ptep = huge ? pmdp : pteOffsetMap(k, pmdp, vpn);
    const pte = ptep < 0 ? 0 : k.tables.entries[ptep];
    if (pte === 0 || (write && !mayWrite(pte))) return false;
    return pages.includes(leafPfn(pte) + (huge ? vpn - hugeStart(k, vpn) : 0));
  });
}

/** Whoever is at a range fault learns nothing of what the device's own migration moves, nor do other open files. */
function moves(dmirror: Dmirror, mm: Mm, first: number, last: number, own?: InvalidationLog): void {
  const { device, k } = dmirror;
  for (const other of device.opened) {
    if (!other || other.mm !== mm) continue;
    for (const log of other.logs) {
      if (log !== own && !log.isOf(k)) log.note(k, first, last, MOVED);
    }
    if (other !== dmirror && other.pt.firstIn(first, last) >= 0) device.flaws.add('other');
  }
}

/** The step before the list of a device's ranges is looked at. */
function* listed(k: Kernel, { devmemLock }: DmirrorDevice): Kernel$<void> {
  if (k.stepping) yield k.step(StepKind.Shared, ObjectKind.Lock, devmemLock.id, Role.TryAcquire);
}

/** The guards of lib/test_hmm.c alone. */
class Stock implements Mends {
  readonly driver = 'stock';

  // biome-ignore lint/correctness/useYield: stock does nothing here
  *beginLog(_k: Kernel, dmirror: Dmirror, log: InvalidationLog): Kernel$<InvalidationLog> {
    return watched(dmirror, log);
  }

  // biome-ignore lint/correctness/useYield: stock does nothing here
  *beginMigration(k: Kernel, dmirror: Dmirror): Kernel$<InvalidationLog> {
    const log = watched(dmirror, new InvalidationLog(k.current));
    log.isLate = mmuIntervalInvalidating(dmirror.notifier);
    return log;
  }

  // biome-ignore lint/correctness/useYield: stock does nothing here
  *endLog(_k: Kernel, dmirror: Dmirror, log: InvalidationLog): Kernel$<void> {
    dmirror.logs.delete(log);
  }

  isMoved(dmirror: Dmirror, log: InvalidationLog, vpn: number, page: number): boolean {
    if (log.wasMoved(vpn) && !hasThere(dmirror, vpn, [page], false))
      dmirror.device.flaws.add('moved');
    return false;
  }

  isLate(
    dmirror: Dmirror,
    log: InvalidationLog,
    vpn: number,
    page: number,
    from: number,
    write: boolean,
  ): boolean {
    const isTold = log.isStale(vpn) || mmuIntervalInvalidating(dmirror.notifier);
    const pages = from < 0 ? [page] : [page, from];
    if (isTold && !hasThere(dmirror, vpn, pages, write)) dmirror.device.flaws.add('late');
    return false;
  }

  // that is the sequence, but for what the walk's own faults and splits have added to it
  mustFaultAgain(walked: InvalidationLog): boolean {
    return walked.wasTold();
  }

  // a driver of two walks maps a page before any is split, and is told of that afterwards
  isLeftOut(walked: InvalidationLog, vpn: number): boolean {
    return walked.wasSplit(vpn);
  }

  arrived(dmirror: Dmirror, first: number, last: number, own: InvalidationLog | null): void {
    moves(dmirror, dmirror.mm, first, last, own ?? undefined);
  }

  // biome-ignore lint/correctness/useYield: stock does nothing here
  *leaveRam(
    _k: Kernel,
    dmirror: Dmirror,
    start: number,
    pages: number,
    migrates: (at: number) => boolean,
    own: InvalidationLog | null,
  ): Kernel$<Int32Array> {
    for (let i = 0; i < pages; i++) {
      if (!migrates(i)) continue;
      dmirror.copying.add(start + i);
      moves(dmirror, dmirror.mm, start + i, start + i, own ?? undefined);
    }
    return new Int32Array(pages);
  }

  leftRam({ copying }: Dmirror, first: number, last: number): void {
    for (let vpn = first; vpn <= last; vpn++) copying.delete(vpn);
  }

  /**
   * Mirrors: lib/test_hmm.c dmirror_devmem_fault_alloc_and_copy(), its xa_erase()
   * faithful
   */
  *leaveDevice(k: Kernel, dmirror: Dmirror, mm: Mm, vpn: number, pages: number): Kernel$<void> {
    if (k.stepping) yield deviceTableStep(k, dmirror, Role.Write);
    dmirror.pt.eraseRange(vpn, vpn + pages - 1);
    moves(dmirror, mm, vpn, vpn + pages - 1);
  }

  *leaveOthers(): Kernel$<void> {}

  wrote({ device, copying }: Dmirror, vpn: number): void {
    if (copying.has(vpn)) device.flaws.add('copied');
  }

  claimStep(k: Kernel, { mutex }: Dmirror) {
    return k.acquire(mutex);
  }

  isClaimed(k: Kernel, dmirror: Dmirror, vpn: number, page: number): boolean {
    const still = asOnlooker(k, () => isStillExclusive(k, dmirror, vpn, page));
    if (!still) dmirror.device.flaws.add('claimed');
    return true;
  }

  /**
   * Mirrors: lib/test_hmm.c dmirror_fops_release(), its loop
   * faithful
   */
  *evictAll(k: Kernel, device: DmirrorDevice): Kernel$<void> {
    yield* listed(k, device);
    for (let i = 0; i < device.chunks.length; i++) {
      const chunk = device.chunks[i];
      yield* evictChunk(k, device, chunk);
      yield* listed(k, device);
      if (device.chunks[i] === chunk) continue;
      device.flaws.add('unlocked');
      k.throwBug('use after free', 'memory of a device is evicted that is gone');
    }
  }

  // biome-ignore lint/correctness/useYield: stock does nothing here
  *evictLeft(k: Kernel, { device, number }: Dmirror): Kernel$<void> {
    for (const { start, count } of device.chunks) {
      for (let pfn = start; pfn < start + count; pfn++) {
        const isLeft = !k.pages.isFree(pfn) && k.pages.private[k.pages.head[pfn]] === number;
        if (isLeft) device.flaws.add('closed');
      }
    }
  }

  /**
   * Mirrors: lib/test_hmm.c dmirror_device_remove_chunks()
   * faithful
   */
  *removeChunks(k: Kernel, device: DmirrorDevice): Kernel$<void> {
    if (k.stepping) yield k.acquire(device.devmemLock);
    k.lock(device.devmemLock);
    for (const chunk of [...device.chunks]) {
      yield* device.retireChunk(chunk);
      yield* evictChunk(k, device, chunk);
      if (chunk.refs > 0) device.flaws.add('waits');
      yield* device.removeChunk(chunk);
    }
    if (k.stepping) yield k.release(device.devmemLock);
    k.unlock(device.devmemLock);
  }
}

export const STOCK: Mends = new Stock();
