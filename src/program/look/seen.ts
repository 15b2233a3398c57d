/** What a state is seen as, whoever built it; and whose functions are not modelled. */
import { DeviceTable } from '../../drivers/device-table.ts';
import { Lock } from '../../machine/lock.ts';
import type { Kernel } from '../../mm/kernel.ts';
import type { SeenDevice, SeenSystem } from './viewer.ts';

/** What performs operations: not modelled. */
const PERFORMERS = new Set(['act', 'perform', 'performWatched', 'taskBody', 'inTurn']);

/** A stack without the functions that perform a program's operations. */
export function withoutPerformers(stack: readonly string[]): string[] {
  return stack.filter((name) => !PERFORMERS.has(name));
}

/** The system in a state, or what of one there is in the state of a scenario of one's own. */
export function systemOf({ state, kernel }: { state: object; kernel: Kernel }): SeenSystem {
  const { system } = state as { system?: SeenSystem };
  if (system?.kernel === kernel) return system;
  const mirrors = kernel.deviceViews.flatMap((view, id): SeenDevice[] => {
    const { notifier } = view as { notifier?: SeenDevice['notifier'] };
    if (!(view.table instanceof DeviceTable) || !notifier) return [];
    // steps name a table by the lock that guards it, which a driver of one's own may call as it likes
    const mutex = Object.values(view).find((value) => value instanceof Lock);
    const device = { id, used: 0 };
    return [{ device, mm: view.mm, notifier, pt: view.table, mutex, failAlloc: false }];
  });
  return { kernel, processes: kernel.mms.map((mm) => ({ mm })), mirrors };
}
