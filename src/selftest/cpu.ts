/** Accesses of a CPU to whole pages. */
import type { Kernel$ } from '../machine/index.ts';
import { type Kernel, type Mm, translate } from '../mm/index.ts';

/** The first 8 bytes of a page, as `Frames.readWord` reads them. */
export function* cpuReadPage(k: Kernel, mm: Mm, vpn: number, into: Uint8Array): Kernel$<number> {
  const pfn = yield* translate(k, mm, vpn, false);
  if (pfn < 0) return pfn;
  into.set(k.frames.view(pfn));
  if (k.monitor !== null) k.monitor.onCpuAccess(mm.id, vpn, pfn, k.frames.readWord(pfn), false);
  return 0;
}

export function* cpuWritePage(k: Kernel, mm: Mm, vpn: number, from: Uint8Array): Kernel$<number> {
  const pfn = yield* translate(k, mm, vpn, true);
  if (pfn < 0) return pfn;
  k.frames.view(pfn).set(from);
  if (k.monitor !== null) k.monitor.onCpuAccess(mm.id, vpn, pfn, k.frames.readWord(pfn), true);
  return 0;
}
