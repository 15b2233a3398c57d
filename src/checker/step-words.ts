/** Steps in words. */
import { Space, StepKind } from '../machine/index.ts';

/** What a step touches. */
export const SPACES: Record<Space, string> = {
  [Space.None]: '',
  [Space.Lock]: 'lock',
  [Space.Entry]: 'entry',
  [Space.Folio]: 'folio',
  [Space.Tlb]: 'TLBs of address space',
  [Space.Frame]: 'page',
  [Space.DeviceFrame]: 'device page',
  [Space.Allocator]: 'a page',
  [Space.Sequence]: 'notifier sequence',
  [Space.DeviceEntry]: 'device entry of page',
  [Space.FolioLock]: 'folio',
  [Space.File]: 'device file',
  [Space.Batch]: 'LRU batches of CPU',
  [Space.Cache]: 'page cache',
  [Space.Mm]: 'address space',
  [Space.Program]: 'program',
  [Space.Userfault]: 'missing faults of userfaultfd',
  [Space.Pagemap]: 'range of device memory in zone',
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
