/** The machine that a test runs on: a kernel, four devices of the test driver, and processes. */

import type { Dmirror } from '../drivers/dmirror.ts';
import type { DmirrorDevice } from '../drivers/dmirror-device.ts';
import { closeDmirror, newDmirrorDevice, openDmirror } from '../drivers/dmirror-file.ts';
import { isMapped } from '../drivers/dmirror-mmap.ts';
import { checkDevice, checkMirror, deviceLocks } from '../drivers/look/check-mirrors.ts';
import type { Kernel$ } from '../machine/step.ts';
import { Kernel, type Walk } from '../mm/kernel.ts';
import { type Broken, checkEmpty, checkQuiescent } from '../mm/look/invariants.ts';
import { CountingLedger } from '../mm/look/ledger.ts';

import type { Mm } from '../mm/mm.ts';

/** Numbers of the devices, as in their names: two of each kind. */
export const PRIVATE_DEVICE_ONE = 0;
export const PRIVATE_DEVICE_TWO = 1;
export const COHERENT_DEVICE_ONE = 2;
export const COHERENT_DEVICE_TWO = 3;

const CPUS = 4;

export class Computer {
  readonly kernel: Kernel;
  readonly devices: DmirrorDevice[] = [];
  /** The devices as they are open now. */
  readonly mirrors = new Set<Dmirror>();
  /** Those that are closed, but still mapped. */
  private readonly closing = new Set<Dmirror>();

  constructor(walk: Walk, mended = false) {
    this.kernel = new Kernel({ walk, cpus: CPUS, poison: true, mended });
    this.kernel.ledger = new CountingLedger(this.kernel);
    for (let id = PRIVATE_DEVICE_ONE; id <= COHERENT_DEVICE_TWO; id++) {
      const kind = id < COHERENT_DEVICE_ONE ? 'private' : 'coherent';
      this.devices.push(newDmirrorDevice(this.kernel, id, kind));
    }
  }

  /** Opens a device for an address space. */
  *open(device: number, mm: Mm): Kernel$<Dmirror> {
    const mirror = yield* openDmirror(this.kernel, this.devices[device], mm);
    this.mirrors.add(mirror);
    return mirror;
  }

  /** Closes a device: at once, or when nobody maps it any more. */
  *close(mirror: Dmirror): Kernel$<void> {
    this.closing.add(mirror);
    yield* this.closeUnmapped();
  }

  /** Lets those devices go that are closed and no longer mapped. */
  *closeUnmapped(): Kernel$<void> {
    for (const mirror of [...this.closing]) {
      if (isMapped(mirror)) continue;
      this.closing.delete(mirror);
      yield* closeDmirror(this.kernel, mirror);
      this.mirrors.delete(mirror);
    }
  }

  /**
   * What must hold while nothing is under way.
   * @returns what does not
   */
  check(): Broken[] {
    const { kernel } = this;
    const locks = [...this.mirrors].flatMap(deviceLocks);
    const broken = checkQuiescent(kernel, { locks });
    for (const mirror of this.mirrors) broken.push(...checkMirror(kernel, mirror));
    for (const device of this.devices) broken.push(...checkDevice(kernel, device));
    return broken;
  }

  /**
   * What must hold when every process has ended: nothing is left.
   * @returns what does not
   */
  checkEmpty(): Broken[] {
    const broken = [...this.check(), ...checkEmpty(this.kernel)];
    for (const { id, used } of this.devices) {
      const where = `memory of device ${id}`;
      if (used !== 0) broken.push({ invariant: 'leak', title: `${used} pages are in use`, where });
    }
    return broken;
  }
}
