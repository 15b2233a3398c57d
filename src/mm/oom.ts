/**
 * The OOM reaper: takes the memory of a process that is to die away before it gets there itself.
 *
 * Models: mm/oom_kill.c
 */
import { EAGAIN } from '../machine/errno.ts';
import { flagsOf } from '../machine/objects.ts';
import { type Kernel$, ObjectKind, Role, StepKind } from '../machine/step.ts';
import { VM_FAULT_SIGBUS } from './fault.ts';
import type { Kernel } from './kernel.ts';
import type { Mm } from './mm.ts';
import {
  MmuNotify,
  mmuNotifierInvalidateRangeEnd,
  mmuNotifierInvalidateRangeStart,
  notifierRange,
} from './mmu-notifier.ts';
import { isVmHugetlbPage, VM_SHARED, type Vma, vmaIsAnonymous } from './vma.ts';
import { MmuGather, tlbFinishMmu, zapVmaRange } from './zap.ts';

/**
 * Whether something may be mapped; asked under the page table's lock.
 *
 * Mirrors: include/linux/oom.h check_stable_address_space()
 * faithful
 * @returns 0 or VM_FAULT_SIGBUS
 */
export function checkStableAddressSpace(mm: Mm): number {
  return mm.unstable ? VM_FAULT_SIGBUS : 0;
}

/**
 * Takes an area's mappings away without waiting for anybody.
 *
 * Mirrors: mm/memory.c zap_vma_for_reaping()
 * faithful
 * @returns whether it was done
 */
function* zapVmaForReaping(k: Kernel, vma: Vma): Kernel$<boolean> {
  const range = notifierRange(MmuNotify.Clear, vma.mm, vma.start, vma.end);
  range.blockable = false;
  const tlb = new MmuGather(vma.mm);
  if (yield* mmuNotifierInvalidateRangeStart(k, range)) return false;
  yield* zapVmaRange(k, tlb, vma, vma.start, vma.end, false);
  yield* mmuNotifierInvalidateRangeEnd(k, range);
  yield* tlbFinishMmu(k, tlb);
  return true;
}

/**
 * Takes the private memory of a process away, and keeps it from coming back.
 *
 * Mirrors: mm/oom_kill.c oom_reap_task_mm(), __oom_reap_task_mm()
 * simplified: waits for mmap_lock instead of coming back later
 * @returns 0, or -EAGAIN when something stayed because a notifier would have had to wait
 */
export function* oomReapTaskMm(k: Kernel, mm: Mm): Kernel$<number> {
  if (k.stepping) yield k.acquire(mm.mmapLock, true);
  k.lockShared(mm.mmapLock);
  if (k.stepping) yield k.step(StepKind.Shared, ObjectKind.Mm, flagsOf(mm), Role.Write);
  mm.unstable = true;
  let all = true;
  for (let i = mm.vmas.length - 1; i >= 0; i--) {
    const vma = mm.vmas[i];
    if (isVmHugetlbPage(vma)) continue;
    if (!vmaIsAnonymous(vma) && vma.flags & VM_SHARED) continue;
    if (!(yield* zapVmaForReaping(k, vma))) all = false;
  }
  if (k.stepping) yield k.release(mm.mmapLock);
  k.unlockShared(mm.mmapLock);
  return all ? 0 : -EAGAIN;
}
