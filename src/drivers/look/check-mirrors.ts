/**
 * What must hold of the test driver's devices on a machine on which no task runs.
 */

import type { Lock } from '../../machine/lock.ts';
import { PTE_PRESENT, PTE_WRITE, ptePfn } from '../../machine/pte.ts';
import type { Kernel } from '../../mm/kernel.ts';
import {
  isDeviceExclusive,
  isDevicePrivate,
  isDevicePrivateWrite,
  softleafToPfn,
} from '../../mm/leafops.ts';
import type { Broken } from '../../mm/look/invariants.ts';
import { type Leaf, leavesOf, placeOf } from '../../mm/look/leaves.ts';
import { DPT_ATOMIC, DPT_WRITE, pfnOf, tagOf } from '../device-table.ts';
import type { Dmirror } from '../dmirror.ts';
import type { DmirrorDevice } from '../dmirror-device.ts';

/** The locks of a device and of its mirror, for `checkQuiescent`. */
export function deviceLocks(mirror: Dmirror): Lock[] {
  return [mirror.mutex, mirror.device.lock, mirror.device.devmemLock];
}

/** What a process's entry lets a device do: the page, and whether it may write. */
interface Right {
  page: number;
  write: boolean;
  kind: 'present' | 'device-private' | 'device-exclusive';
  huge: boolean;
}

function rightOf({ pte, huge }: Leaf, offset: number): Right | null {
  if (pte & PTE_PRESENT) {
    const write = (pte & PTE_WRITE) !== 0;
    return { page: ptePfn(pte) + offset, write, kind: 'present', huge };
  }
  const page = softleafToPfn(pte) + offset;
  if (isDevicePrivate(pte)) {
    return { page, write: isDevicePrivateWrite(pte), kind: 'device-private', huge };
  }
  if (isDeviceExclusive(pte)) return { page, write: true, kind: 'device-exclusive', huge };
  return null;
}

/**
 * 7.3.4's `hmm_vma_handle_absent_pmd()` reports the first pages of a device-private huge page,
 * wherever in it the range starts. A device that asks for the middle maps the wrong pages.
 */
export const WRONG_PAGE_OF_HUGE_PAGE = 'wrong page of a huge page (7.3.4)';

function isWrongPageOfHugePage(k: Kernel, page: number, right: Right): boolean {
  if (!right.huge || right.kind !== 'device-private') return false;
  return !k.pages.isFree(page) && k.pages.head[page] === k.pages.head[right.page];
}

/**
 * Every entry of the device's page table names what the process maps there now, with no more
 * permission than the process's entry gives. Stock's driver keeps to it too, but for what
 * WRONG_PAGE_OF_HUGE_PAGE names.
 */
export function checkMirror(k: Kernel, mirror: Dmirror): Broken[] {
  const broken: Broken[] = [];
  const rights = new Map<number, Right>();
  for (const leaf of k.mms.includes(mirror.mm) ? leavesOf(k, mirror.mm) : []) {
    for (let i = 0; i < leaf.pages; i++) {
      const right = rightOf(leaf, i);
      if (right) rights.set(leaf.vpn + i, right);
    }
  }
  for (const [vpn, entry] of mirror.pt.entries()) {
    const where = `page table of device ${mirror.device.id}, ${placeOf(k, vpn)}`;
    const say = (title: string, invariant = 'device page table') =>
      broken.push({ invariant, title, where });
    const right = rights.get(vpn);
    const page = pfnOf(entry);
    if (!right) say(`page ${page} is mapped, which the process does not map any more`);
    else if (right.page !== page) {
      const known = isWrongPageOfHugePage(k, page, right) ? WRONG_PAGE_OF_HUGE_PAGE : undefined;
      say(`page ${page} is mapped, the process maps ${right.page}`, known);
    } else if (tagOf(entry) === DPT_WRITE && !right.write) {
      say(`page ${page} is writable, which the process's entry is not`);
    } else if (tagOf(entry) === DPT_ATOMIC && right.kind !== 'device-exclusive') {
      say(`page ${page} is the device's alone, which the process's entry does not say`);
    }
  }
  return broken;
}

/** The device's count of pages in use, and whose they are. */
export function checkDevice(k: Kernel, device: DmirrorDevice): Broken[] {
  const broken: Broken[] = [];
  const say = (where: string, title: string) =>
    broken.push({ invariant: 'device memory', title, where });
  let used = 0;
  for (const chunk of device.chunks) {
    let inChunk = 0;
    for (let pfn = chunk.start; pfn < chunk.start + chunk.count; pfn++) {
      if (k.pages.isFree(pfn)) continue;
      inChunk++;
      if (!device.opened[k.pages.private[k.pages.head[pfn]]]) {
        say(`device page ${pfn}`, 'belongs to nobody who has the device open');
      }
    }
    if (chunk.refs !== inChunk) {
      say(
        `memory of device ${device.id}`,
        `its range counts ${chunk.refs} pages in use, ${inChunk} are`,
      );
    }
    used += inChunk;
  }
  if (device.used !== used) {
    say(
      `memory of device ${device.id}`,
      `the driver counts ${device.used} pages in use, ${used} are`,
    );
  }
  return broken;
}
