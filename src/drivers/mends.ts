/**
 * Where lib/test_hmm.c leaves a hole when tasks run at the same time, the test driver asks its mends: those of
 * `dmirror-mends.ts` close it, those of `dmirror-stock.ts` do what stock does, which is most often nothing.
 */

import type { Kernel$, Step } from '../machine/step.ts';
import type { Kernel } from '../mm/kernel.ts';
import type { Mm } from '../mm/mm.ts';
import type { Dmirror } from './dmirror.ts';
import type { DmirrorDevice } from './dmirror-device.ts';
import type { DriverName } from './driver-names.ts';
import type { InvalidationLog } from './invalidation-log.ts';

/** What the test driver does beyond lib/test_hmm.c. Pages `first` to `last` are both inclusive. */
export interface Mends {
  readonly driver: DriverName;

  /** Begins to note what is invalidated, before a range fault. */
  beginLog(k: Kernel, dmirror: Dmirror, log: InvalidationLog): Kernel$<InvalidationLog>;

  /** The same before the device's own migration looks at any page. */
  beginMigration(k: Kernel, dmirror: Dmirror): Kernel$<InvalidationLog>;

  /** Ends what these two began. */
  endLog(k: Kernel, dmirror: Dmirror, log: InvalidationLog): Kernel$<void>;

  /**
   * Whether a page must not be mapped that a range fault found, as it was taken away since; the mutex is held, and the
   * notifier's sequence is that of the fault.
   */
  isMoved(dmirror: Dmirror, log: InvalidationLog, vpn: number, page: number): boolean;

  /**
   * The same for a page that has migrated to the device.
   * @param from the page that it was, -1 for none
   */
  isLate(
    dmirror: Dmirror,
    log: InvalidationLog,
    vpn: number,
    page: number,
    from: number,
    write: boolean,
  ): boolean;

  /** Whether what one walk found to migrate must be faulted in two passes; the mutex is held. */
  mustFaultAgain(walked: InvalidationLog): boolean;

  /** The same for one page: it is left out. @param prepared the walk has prepared it to migrate */
  isLeftOut(log: InvalidationLog, vpn: number, prepared: boolean): boolean;

  /** A page has come to the device, which is about to map it; the mutex is held. */
  arrived(dmirror: Dmirror, first: number, last: number, own: InvalidationLog | null): void;

  /**
   * Pages of a range come to the device, of which a copy is about to be made.
   * @param migrates which ones
   * @param own a log of the same migration
   * @returns the device's entries so far, which it has no more; 0 for none
   */
  leaveRam(
    k: Kernel,
    dmirror: Dmirror,
    start: number,
    pages: number,
    migrates: (at: number) => boolean,
    own: InvalidationLog | null,
  ): Kernel$<Int32Array>;

  /** They have come there, or not. */
  leftRam(dmirror: Dmirror, first: number, last: number): void;

  /** Pages of an address space leave the device, of which a copy is about to be made. */
  leaveDevice(k: Kernel, dmirror: Dmirror, mm: Mm, vpn: number, pages: number): Kernel$<void>;

  /** Other open files of the device for the same address space lose their entries of what migrates. */
  leaveOthers(k: Kernel, dmirror: Dmirror, mm: Mm, first: number, last: number): Kernel$<void>;

  /** The device has written to a page. */
  wrote(dmirror: Dmirror, vpn: number): void;

  /** The step before the mutex is taken to enter a page that was made exclusive. */
  claimStep(k: Kernel, dmirror: Dmirror, vpn: number): Step;

  /** Whether a page is still what it was made exclusive with; the mutex is held. */
  isClaimed(k: Kernel, dmirror: Dmirror, vpn: number, page: number): boolean;

  /** Evicts all of a device's memory, whoever it belongs to: what nobody is at. */
  evictAll(k: Kernel, device: DmirrorDevice): Kernel$<void>;

  /** An open file is closed and all was evicted: what of its pages somebody was at. */
  evictLeft(k: Kernel, dmirror: Dmirror): Kernel$<void>;

  /** Takes all of a device's memory away. */
  removeChunks(k: Kernel, device: DmirrorDevice): Kernel$<void>;
}
