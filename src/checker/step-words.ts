/** Steps in words. */
import { ObjectKind, StepKind } from '../machine/index.ts';

/** What a step touches. */
export const OBJECT_WORDS: Record<ObjectKind, string> = {
  [ObjectKind.None]: '',
  [ObjectKind.Lock]: 'lock',
  [ObjectKind.Entry]: 'entry',
  [ObjectKind.Folio]: 'folio',
  [ObjectKind.Tlb]: 'TLBs of address space',
  [ObjectKind.Frame]: 'page',
  [ObjectKind.DeviceFrame]: 'device page',
  [ObjectKind.Allocator]: 'a page',
  [ObjectKind.Sequence]: 'notifier sequence',
  [ObjectKind.DeviceEntry]: 'device entry of page',
  [ObjectKind.FolioLock]: 'folio',
  [ObjectKind.File]: 'device file',
  [ObjectKind.Batch]: 'LRU batches of CPU',
  [ObjectKind.Cache]: 'page cache',
  [ObjectKind.Mm]: 'address space',
  [ObjectKind.Program]: 'program',
  [ObjectKind.Userfault]: 'missing faults of userfaultfd',
  [ObjectKind.Pagemap]: 'range of device memory in zone',
};

/** What a step does. */
export const KINDS: Record<StepKind, string> = {
  [StepKind.Acquire]: 'lock',
  [StepKind.TryAcquire]: 'try to lock',
  [StepKind.Release]: 'unlock',
  [StepKind.ReadEntry]: 'read',
  [StepKind.WriteEntry]: 'write',
  [StepKind.Folio]: 'look at',
  [StepKind.TlbFill]: 'walk to',
  [StepKind.TlbFlush]: 'flush',
  [StepKind.CpuAccess]: 'access through',
  [StepKind.DeviceAccess]: 'access through',
  [StepKind.Copy]: 'copy to',
  [StepKind.Allocate]: 'allocate',
  [StepKind.Wait]: 'wait for',
  [StepKind.Shared]: 'use',
};
