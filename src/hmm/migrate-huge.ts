/**
 * Huge pages on their way to a device and back.
 *
 * Models: mm/migrate_device.c
 */
import type { Kernel$ } from '../machine/step.ts';
import type { Kernel } from '../mm/kernel.ts';
import type { MigrateVma } from './migrate-args.ts';

export function* insertHugePmdPage(
  k: Kernel,
  _migrate: MigrateVma,
  _at: number,
  _vpn: number,
  _folio: number,
  _pmdp: number,
): Kernel$<void> {
  k.throwBug('bug', 'huge');
}

export function* splitUnmappedFolio(
  k: Kernel,
  _migrate: MigrateVma,
  _at: number,
  _vpn: number,
  _folio: number,
): Kernel$<number> {
  return k.throwBug('bug', 'huge');
}
