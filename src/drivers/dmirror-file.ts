/**
 * Files of the test driver: opened and closed, and a device's memory taken away.
 *
 * Models: lib/test_hmm.c
 */

import type { DeviceMemory } from '../machine/device-memory.ts';
import { type Kernel$, Role } from '../machine/step.ts';
import type { Kernel } from '../mm/kernel.ts';
import { type DevPagemapOps, pagePgmap } from '../mm/memremap.ts';
import type { Mm } from '../mm/mm.ts';
import { mmuIntervalNotifierInsert, mmuIntervalNotifierRemove } from '../mm/mmu-notifier.ts';
import { Dmirror } from './dmirror.ts';
import { DmirrorDevice } from './dmirror-device.ts';
import { devmemFault } from './dmirror-evict.ts';
import { MENDED } from './dmirror-mends.ts';
import { STOCK } from './dmirror-stock.ts';
import { type DeviceKind, deviceTableStep } from './driver.ts';
import type { DriverName } from './driver-names.ts';
import type { Mends } from './mends.ts';

/** The device that a page belongs to (dmirror_page_to_device()). */
function pageDevice(k: Kernel, pfn: number): DmirrorDevice {
  return pagePgmap(k, pfn).owner as DmirrorDevice;
}

/**
 * What a device does for its pages (dmirror_devmem_ops). The operations find the device by the page, as they
 * may be called after it was put back to a snapshot.
 */
const DEVMEM_OPS: DevPagemapOps = {
  folioFree: (k, folio) => pageDevice(k, folio).devmemFree(k, folio),
  migrateToRam: (k, vmf) => devmemFault(k, pageDevice(k, vmf.page), vmf),
  folioSplit: (k, head, tail) => {
    if (tail !== null) k.pages.private[tail] = k.pages.private[head];
  },
};

/** What each driver does beyond lib/test_hmm.c. */
const MENDS: Record<DriverName, Mends> = { mended: MENDED, stock: STOCK };

/**
 * A device without memory so far.
 * @param memory where its pages are, unless CPUs reach them
 * @param driver `stock` has the guards of lib/test_hmm.c alone
 */
export function newDmirrorDevice(
  k: Kernel,
  id: number,
  kind: DeviceKind = 'private',
  memory?: DeviceMemory,
  driver: DriverName = 'mended',
): DmirrorDevice {
  return new DmirrorDevice(k, id, kind, DEVMEM_OPS, memory, MENDS[driver]);
}

/**
 * Opens a device for an address space.
 *
 * Mirrors: lib/test_hmm.c dmirror_fops_open()
 * faithful
 */
export function* openDmirror(k: Kernel, device: DmirrorDevice, mm: Mm): Kernel$<Dmirror> {
  const dmirror = new Dmirror(k, device, mm);
  yield* mmuIntervalNotifierInsert(k, dmirror.notifier, mm, 0, k.geometry.addressPages - 2);
  k.deviceViews.push(dmirror);
  return dmirror;
}

/** Of a closed device: what it was, and what says that nothing is left of it. */
const DMIRROR_KEEPS = ['k', 'device', 'mm', 'number', 'mutex', 'notifier', 'mapped'];

/**
 * Closes a device: its memory is evicted, whoever it belongs to.
 *
 * Mirrors: lib/test_hmm.c dmirror_fops_release()
 * differs: the mended driver waits for each page that is left, because somebody was about to bring it back, and
 * evicts it then; stock evicts once, and that fault then uses the closed file
 */
export function* closeDmirror(k: Kernel, dmirror: Dmirror): Kernel$<void> {
  const { device } = dmirror;
  // from here on nobody looks at its page table
  if (k.stepping) yield deviceTableStep(k, dmirror, Role.Write);
  k.deviceViews.splice(k.deviceViews.indexOf(dmirror), 1);
  yield* mmuIntervalNotifierRemove(k, dmirror.notifier);
  yield* device.mends.evictAll(k, device);
  yield* device.mends.evictLeft(k, dmirror);
  dmirror.pt.clear();
  dmirror.device.opened[dmirror.number] = undefined;
  if (k.monitor !== null) k.monitor.onGone(dmirror, 'an open device', DMIRROR_KEEPS);
}

/**
 * Takes all of a device's memory away, evicting what is in it. The device makes new memory when it needs some.
 *
 * Mirrors: lib/test_hmm.c dmirror_fops_unlocked_ioctl(), its HMM_DMIRROR_RELEASE
 * faithful
 */
export function removeChunks(k: Kernel, device: DmirrorDevice): Kernel$<void> {
  return device.mends.removeChunks(k, device);
}
