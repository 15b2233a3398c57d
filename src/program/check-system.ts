/** What must hold of a system between operations, and after its shutdown. */
import { checkDevice, checkMirror, deviceLocks } from '../drivers/look/check-mirrors.ts';
import {
  type Broken,
  checkEmpty,
  checkQuiescent,
  type QuiescentOptions,
} from '../mm/look/invariants.ts';
import type { System } from './system.ts';

/** What `gup` holds: pinned, or referenced only. */
const held = ({ holds }: System, pinned: boolean) => [...holds].filter((h) => h.pinned === pinned);

function known(system: System): QuiescentOptions {
  return {
    pins: [
      ...[...system.pins].map((pin) => pin.page),
      ...held(system, false).flatMap(({ pages }) => pages),
    ],
    pinned: held(system, true).flatMap(({ pages }) => pages),
    locks: system.mirrors.filter(({ isOpen }) => isOpen).flatMap(deviceLocks),
  };
}

/**
 * Checks every invariant that holds while no operation is under way.
 * @returns what does not hold; empty when all is well
 */
export function checkSystem(system: System): Broken[] {
  const { kernel } = system;
  const broken = checkQuiescent(kernel, known(system));
  for (const mirror of system.mirrors.filter(({ isOpen }) => isOpen))
    broken.push(...checkMirror(kernel, mirror));
  for (const device of system.devices) broken.push(...checkDevice(kernel, device));
  return broken;
}

/**
 * Checks a system after `shutdown()`: nothing may be left.
 * @returns what is left; empty when all is well
 */
export function checkShutDown(system: System): Broken[] {
  const { kernel } = system;
  const broken = checkQuiescent(kernel, known(system));
  broken.push(...checkEmpty(kernel));
  for (const device of system.devices) {
    broken.push(...checkDevice(kernel, device));
    if (device.used !== 0) {
      const title = `${device.used} pages are still in use`;
      broken.push({ invariant: 'leak', title, where: `memory of device ${device.id}` });
    }
  }
  return broken;
}

/** A broken invariant in one line. */
export function showBroken({ invariant, title, where }: Broken): string {
  return `${invariant}: ${where}: ${title}`;
}
