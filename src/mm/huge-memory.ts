/**
 * Huge pages.
 *
 * Models: mm/huge_memory.c
 */
import { EINVAL } from '../machine/errno.ts';
import type { Kernel$ } from '../machine/step.ts';
import { VM_FAULT_FALLBACK, type VmFault } from './fault.ts';
import type { Kernel } from './kernel.ts';
import type { AdviceWalk } from './madvise.ts';
import type { Vma } from './vma.ts';
import type { MmuGather } from './zap.ts';

export function* handleHugePmdFault(_k: Kernel, _vmf: VmFault): Kernel$<number> {
  return VM_FAULT_FALLBACK;
}
export function* setPmdMigrationEntry(
  k: Kernel,
  _v: Vma,
  _a: number,
  _p: number,
  _f: number,
): Kernel$<number> {
  return k.throwBug('bug', 'huge');
}
export function* removeMigrationPmd(
  k: Kernel,
  _v: Vma,
  _a: number,
  _p: number,
  _f: number,
): Kernel$<void> {
  k.throwBug('bug', 'huge');
}
export function* splitHugePmdLocked(
  k: Kernel,
  _v: Vma,
  _a: number,
  _p: number,
  _f: boolean,
): Kernel$<void> {
  k.throwBug('bug', 'huge');
}
export function* splitHugePmd(k: Kernel, _v: Vma, _p: number, _a: number): Kernel$<void> {
  k.throwBug('bug', 'huge');
}
export function* zapHugePmd(
  k: Kernel,
  _t: MmuGather,
  _v: Vma,
  _p: number,
  _a: number,
): Kernel$<boolean> {
  return k.throwBug('bug', 'huge');
}
export function* copyHugePmd(
  k: Kernel,
  _d: Vma,
  _s: Vma,
  _dp: number,
  _sp: number,
  _a: number,
): Kernel$<boolean> {
  return k.throwBug('bug', 'huge');
}
export function* changeHugePmd(
  k: Kernel,
  _t: MmuGather,
  _v: Vma,
  _p: number,
  _a: number,
  _w: boolean,
): Kernel$<boolean> {
  return k.throwBug('bug', 'huge');
}
export function* moveHugePmd(
  k: Kernel,
  _v: Vma,
  _a: number,
  _b: number,
  _o: number,
  _n: number,
): Kernel$<boolean> {
  return k.throwBug('bug', 'huge');
}
export function* adviseHugePmd(
  k: Kernel,
  _w: AdviceWalk,
  _v: Vma,
  _p: number,
  _s: number,
  _e: number,
): Kernel$<boolean> {
  return k.throwBug('bug', 'huge');
}
export function* clearSoftDirtyPmd(k: Kernel, _v: Vma, _p: number, _a: number): Kernel$<void> {
  k.throwBug('bug', 'huge');
}
export function* splitFolio(k: Kernel, _f: number): Kernel$<number> {
  return k.throwBug('bug', 'huge');
}
export function* vmaAdjustTransHuge(_k: Kernel, _v: Vma, _a: number): Kernel$<void> {}
export function* madviseCollapse(_k: Kernel, _v: Vma, _s: number, _e: number): Kernel$<number> {
  return -EINVAL;
}
export function wpCanReuseLargeAnonFolio(_k: Kernel, _f: number, _v: Vma): boolean {
  return false;
}
