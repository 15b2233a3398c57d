/**
 * What every driver is to the model: a device that may own memory, and a mirror of an address space.
 */

import type { HmmRange } from '../hmm/walk-state.ts';
import type { DeviceMemory } from '../machine/device-memory.ts';
import type { Lock } from '../machine/lock.ts';
import { ObjectKind, type Role, type Step, StepKind } from '../machine/step.ts';
import type { DeviceView, Kernel } from '../mm/kernel.ts';
import type { IntervalNotifier } from '../mm/mmu-notifier.ts';

/** What kind of memory a device has: within the reach of CPUs (coherent) or not. */
export type DeviceKind = 'private' | 'coherent';

/** A device: the owner of its pages (`DevPagemap.owner`), and what pictures and descriptions name it by. */
export interface Device {
  readonly id: number;
  readonly kind: DeviceKind;
  /** What is behind its pages; null where CPUs reach them, or where it has none. */
  readonly memory: DeviceMemory | null;
}

/**
 * What a device keeps for one address space: a page table, guarded by a mutex, of which a notifier takes out
 * what the process changes. One that is in `Kernel.deviceViews` is looked at by whoever watches.
 */
export interface Mirror extends DeviceView {
  readonly device: Device;
  readonly notifier: IntervalNotifier;
  /** Guards the page table. Its number names the table in steps. */
  readonly mutex: Lock;
}

/** Whether the owner of a page is a device that says which one it is. */
export function isDevice(owner: object): owner is Device {
  return 'id' in owner && typeof owner.id === 'number' && 'kind' in owner && 'memory' in owner;
}

/**
 * The step before a device's page table is changed or looked at. It is needed under the mutex too, as there may be
 * others who do not take that.
 */
export function deviceTableStep(k: Kernel, { mutex }: { mutex: Lock }, role: Role): Step {
  return k.step(StepKind.Shared, ObjectKind.DeviceEntry, mutex.id, role);
}

/** A range of at most `pages` pages for a mirror; `flags` are requested for every page. */
export function deviceRange(mirror: Mirror, pages: number, flags: number): HmmRange {
  return {
    notifier: mirror.notifier,
    notifierSeq: 0,
    start: 0,
    end: 0,
    hmmPfns: new Int32Array(pages),
    defaultFlags: flags,
    pfnFlagsMask: 0,
    devPrivateOwner: mirror.device,
    migrate: null,
  };
}
