/**
 * What hardware does on its own: a CPU walks the page tables ahead of an access, and drops what its TLB
 * holds, whenever it likes.
 */
import type { Kernel$ } from '../../machine/index.ts';
import type { Kernel, Mm } from '../../mm/index.ts';
import { hardwareWalk } from '../../mm/internal.ts';

/** A translation that a CPU may come to have, or lose, at any time. */
export interface Translation {
  readonly cpu: number;
  readonly mm: Mm;
  readonly vpn: number;
  /** The page in the scenario's words. */
  readonly page: string;
}

/** So many translations of a scenario come and go, at most. */
export const MOST_TRANSLATIONS = 4;

export function translationName({ cpu, page }: Translation): string {
  return `TLB of CPU ${cpu}: ${page}`;
}

/**
 * A CPU drops what its TLB holds of a page, and later walks to it without being asked to. Not the other
 * way round: what was dropped again would hide from those who look for stale translations.
 */
export function* goAndCome(k: Kernel, { cpu, mm, vpn }: Translation): Kernel$<void> {
  const tlb = k.tlbs[cpu];
  k.current.doing = 'hardware';
  if (k.stepping) yield k.flushStep(mm.id);
  tlb.flushPage(mm.id, vpn);
  yield* hardwareWalk(k, tlb, mm, vpn, false);
}
