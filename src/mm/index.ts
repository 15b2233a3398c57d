export {
  cpuReadPage,
  cpuReadWord,
  cpuWritePage,
  cpuWriteWord,
  SIGBUS,
  SIGSEGV,
  translate,
} from './access.ts';
export { exitMmap } from './exit.ts';
export {
  handleMmFault,
  VM_FAULT_ERROR,
  VM_FAULT_FALLBACK,
  VM_FAULT_NOPAGE,
  VM_FAULT_OOM,
  VM_FAULT_RETRY,
  VM_FAULT_SIGBUS,
  VM_FAULT_SIGSEGV,
  type VmFault,
} from './fault.ts';
export {
  clearPage,
  copyPage,
  folioAlloc,
  folioFree,
  folioGet,
  folioIsDeviceCoherent,
  folioIsDevicePrivate,
  folioIsZoneDevice,
  folioOrder,
  folioPages,
  folioPut,
  folioPutTestzero,
  folioTryGet,
  folioUnlockPut,
  pageFolio,
} from './folio.ts';
export { dupMmap } from './fork.ts';
export { pinUserPage } from './gup.ts';
export { mmapHugetlb } from './hugetlb.ts';
export { type DeviceView, Kernel, type KernelOptions, type Walk } from './kernel.ts';
export {
  compareDescriptions,
  Describer,
  type Description,
  describeKernel,
} from './look/describe.ts';
export { LEAF_BITS, type LeafKind, leafBits, leafKind, PAGE_FLAGS } from './look/flag-words.ts';
export {
  type Broken,
  checkEmpty,
  checkQuiescent,
  type QuiescentOptions,
} from './look/invariants.ts';
export { CountingLedger, Holder, Ledger, type ReferenceLedger } from './look/ledger.ts';
export { type Advice, madvise } from './madvise.ts';
export {
  DevPagemap,
  type DevPagemapOps,
  memremapPages,
  memunmapPages,
  pagePgmap,
  zoneDevicePageInit,
} from './memremap.ts';
export { MEND_NAMES, MENDS, type Mend, type MendName, UNMENDED, type Unmended } from './mends.ts';
export { Mm } from './mm.ts';
export { mmapRegion, munmap } from './mmap.ts';
export {
  checkRetryStep,
  IntervalNotifier,
  type IntervalNotifierOps,
  MmuNotify,
  mmuIntervalCheckRetry,
  mmuIntervalNotifierInsert,
  mmuIntervalNotifierRemove,
  mmuIntervalReadBegin,
  mmuIntervalReadRetry,
  mmuIntervalSetSeq,
  type NotifierRange,
  setSeqStep,
} from './mmu-notifier.ts';
export { mprotect } from './mprotect.ts';
export { mremap } from './mremap.ts';
export { oomReapTaskMm } from './oom.ts';
export { clearSoftDirty, pagemapScan, readPagemap } from './pagemap.ts';
export { type AddressSpace, closeFile, fileRead, fileWrite, fillFile, newFile } from './shmem.ts';
export {
  UserfaultfdCtx,
  uffdCopy,
  uffdRead,
  uffdRegister,
  uffdUnregister,
  uffdWake,
  userfaultfd,
  userfaultfdRelease,
  userfaultStep,
} from './userfaultfd.ts';
export { VM_READ, VM_SHARED, VM_WRITE, Vma } from './vma.ts';
export { WALKS } from './walks.ts';
