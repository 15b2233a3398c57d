/**
 * An open device of the test driver, and the commands that a test gives it.
 *
 * Models: lib/test_hmm.c dmirror_fops_unlocked_ioctl(), as far as a process sees it
 */

import type { Dmirror } from '../drivers/dmirror.ts';
import { type DeviceResult, deviceAccess, deviceReadUnlocked } from '../drivers/dmirror-access.ts';
import { migrateToSystem } from '../drivers/dmirror-evict.ts';
import { checkExclusive, deviceExclusive } from '../drivers/dmirror-exclusive.ts';
import { removeChunks } from '../drivers/dmirror-file.ts';
import { migrateToDevice } from '../drivers/dmirror-migrate.ts';
import { deviceSnapshot } from '../drivers/dmirror-snapshot.ts';
import { faultMigrateToDevice } from '../drivers/migrate-on-fault.ts';
import { boundLoops } from '../machine/loops.ts';
import type { Kernel$ } from '../machine/step.ts';
import type { Kernel } from '../mm/kernel.ts';
import type { HmmBuffer } from './buffer.ts';
import type { Computer } from './computer.ts';

/** HMM_DMIRROR_FLAG_FAIL_ALLOC: the next allocation of a page fails. */
export const FLAG_FAIL_ALLOC = 1;

/**
 * Each command is for the first `pages` pages of a buffer. It returns 0 or a negative errno; what the
 * device read is then in the buffer's mirror.
 */
export class TestDevice {
  users = 1;

  constructor(
    private readonly computer: Computer,
    readonly mirror: Dmirror,
  ) {}

  private get k(): Kernel {
    return this.computer.kernel;
  }

  release(): Kernel$<void> {
    return this.computer.close(this.mirror);
  }

  private done(buffer: HmmBuffer, { ret, cpages, faults, data }: DeviceResult): number {
    // what comes next is another operation
    boundLoops(this.k);
    if (ret) return ret;
    if (data) buffer.mirror.set(data);
    buffer.cpages = cpages;
    buffer.faults = faults;
    return 0;
  }

  *read(buffer: HmmBuffer, pages: number): Kernel$<number> {
    const { ptr } = buffer;
    return this.done(buffer, yield* deviceAccess(this.k, this.mirror, ptr, ptr + pages, null));
  }

  /** A read that gives mmap_lock up while a monitor fills a missing page. */
  *readUnlocked(buffer: HmmBuffer, pages: number): Kernel$<number> {
    const { ptr } = buffer;
    return this.done(buffer, yield* deviceReadUnlocked(this.k, this.mirror, ptr, ptr + pages));
  }

  *write(buffer: HmmBuffer, pages: number): Kernel$<number> {
    const { ptr } = buffer;
    const data = buffer.mirror.slice(0, pages * this.k.geometry.pageBytes);
    return this.done(buffer, yield* deviceAccess(this.k, this.mirror, ptr, ptr + pages, data));
  }

  *migrateToDevice(buffer: HmmBuffer, pages: number): Kernel$<number> {
    const { ptr } = buffer;
    return this.done(buffer, yield* migrateToDevice(this.k, this.mirror, ptr, ptr + pages));
  }

  *migrateToSystem(buffer: HmmBuffer, pages: number): Kernel$<number> {
    const { ptr } = buffer;
    return this.done(buffer, yield* migrateToSystem(this.k, this.mirror, ptr, ptr + pages));
  }

  /** The series' command. */
  *migrateOnFault(buffer: HmmBuffer, pages: number, write: boolean): Kernel$<number> {
    const { k, mirror } = this;
    const { ptr } = buffer;
    return this.done(buffer, yield* faultMigrateToDevice(k, mirror, ptr, ptr + pages, write));
  }

  *exclusive(buffer: HmmBuffer, pages: number): Kernel$<number> {
    const { ptr } = buffer;
    return this.done(buffer, yield* deviceExclusive(this.k, this.mirror, ptr, ptr + pages));
  }

  *checkExclusive(buffer: HmmBuffer, pages: number): Kernel$<number> {
    const { ptr } = buffer;
    return yield* checkExclusive(this.mirror, ptr, ptr + pages);
  }

  /** A byte a page, at the beginning of the mirror. */
  *snapshot(buffer: HmmBuffer, pages: number): Kernel$<number> {
    const { ptr } = buffer;
    const { ret, prot } = yield* deviceSnapshot(this.k, this.mirror, ptr, ptr + pages);
    if (ret) return ret;
    buffer.mirror.set(prot);
    buffer.cpages = prot.length;
    buffer.faults = 0;
    return 0;
  }

  /** The device's memory goes: everything comes back to RAM. */
  *releaseMemory(): Kernel$<number> {
    yield* removeChunks(this.k, this.mirror.device);
    return 0;
  }

  setFlags(flags: number): number {
    this.mirror.failAlloc = (flags & FLAG_FAIL_ALLOC) !== 0;
    return 0;
  }
}
