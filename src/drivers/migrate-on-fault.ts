/**
 * The test driver's migrate on fault: its operation on a range, which ends with the data that the device sees.
 *
 * Models: lib/test_hmm.c with the series' HMM_DMIRROR_MIGRATE_ON_FAULT_TO_DEV
 */

import type { Kernel$ } from '../machine/step.ts';
import type { Kernel } from '../mm/kernel.ts';
import { deviceFault } from './device-fault.ts';
import type { Dmirror } from './dmirror.ts';
import { type DeviceResult, readBack } from './dmirror-access.ts';
import { DmirrorFault } from './dmirror-migrate.ts';

/** A fault that reads each chunk back when it is served. */
class MigrateOnFault extends DmirrorFault {
  cpages = 0;
  readonly data: Uint8Array;

  constructor(
    k: Kernel,
    dmirror: Dmirror,
    readonly first: number,
    pages: number,
  ) {
    super(k, dmirror);
    this.data = new Uint8Array(pages * k.geometry.pageBytes);
  }

  override *served(start: number, end: number): Kernel$<number> {
    const { k, dmirror } = this;
    const part = yield* readBack(k, dmirror, start, end);
    if (part.ret) return part.ret;
    this.cpages += part.cpages;
    this.data.set(part.data as Uint8Array, (start - this.first) * k.geometry.pageBytes);
    return 0;
  }
}

/**
 * Faults a range for the device and migrates it, chunk by chunk; the first error ends it.
 *
 * Mirrors: the series' dmirror_migrate_on_fault_to_device()
 * differs: see deviceFault()
 */
export function* faultMigrateToDevice(
  k: Kernel,
  dmirror: Dmirror,
  start: number,
  end: number,
  write: boolean,
): Kernel$<DeviceResult> {
  const fault = new MigrateOnFault(k, dmirror, start, end - start);
  const ret = yield* deviceFault(k, fault, start, end, { write });
  const { cpages, data } = fault;
  return ret ? { ret, cpages, faults: 0, data: null } : { ret, cpages, faults: 0, data };
}
