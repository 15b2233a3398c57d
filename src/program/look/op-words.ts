/** An operation in a few words: as a program has it, and as the kernel is asked for it. */
import { OPS, type Op, type OpFieldSpec, type OpName } from '../ops.ts';

/** Pages of a buffer: `buf0:0`, or `buf0:0-3` with the last one. */
function placeOf(buf: unknown, page: unknown, pages: unknown): string {
  const last = Number(page) + Number(pages ?? 1) - 1;
  return `buf${buf}:${page}${last > Number(page) ? `-${last}` : ''}`;
}

/** A field that is no place. */
function fieldWords(field: string, spec: OpFieldSpec, value: unknown): string {
  if (spec.kind === 'choice') return String(value);
  const isFlag = spec.max === 1;
  if (isFlag) return value === 1 ? field : '';
  return `${field} ${value}`;
}

/** An operation in a few words: its name, where, and what else is said of it: `mprotect buf0:0-3 r`. */
export function opWords(op: Op): string {
  const { dev, buf, page, pages, toBuf, toPage, ...others } = op as Op & Record<string, unknown>;
  const specs: Record<string, OpFieldSpec> = OPS[op.op];
  const words: string[] = [op.op];
  if (dev !== undefined) words.push(`dev${dev}`);
  if (buf !== undefined) words.push(placeOf(buf, page, pages));
  if (toBuf !== undefined) words.push('to', placeOf(toBuf, toPage, pages));
  for (const [field, value] of Object.entries(others)) {
    if (Object.hasOwn(specs, field)) words.push(fieldWords(field, specs[field], value));
  }
  if (op.proc > 0) words.push(`by process ${op.proc}`);
  return words.filter((word) => word !== '').join(' ');
}

/** What a process calls for an operation; `HMM_DMIRROR_…` are the test driver's ioctls. */
const CALLS: Record<OpName, string> = {
  mmap: 'mmap',
  munmap: 'munmap',
  mprotect: 'mprotect',
  madvise: 'madvise',
  mremap: 'mremap',
  mremap_dontunmap: 'mremap, MREMAP_DONTUNMAP',
  cpu_write: 'store',
  cpu_read: 'load',
  file_read: 'pread',
  file_write: 'pwrite',
  dev_read: 'HMM_DMIRROR_READ',
  dev_read_unlocked: 'HMM_DMIRROR_READ, without mmap_lock',
  dev_write: 'HMM_DMIRROR_WRITE',
  migrate_to_dev: 'HMM_DMIRROR_MIGRATE_TO_DEV',
  migrate_to_sys: 'HMM_DMIRROR_MIGRATE_TO_SYS',
  fault_migrate_to_dev: 'HMM_DMIRROR_MIGRATE_ON_FAULT_TO_DEV',
  exclusive: 'HMM_DMIRROR_EXCLUSIVE',
  check_exclusive: 'HMM_DMIRROR_CHECK_EXCLUSIVE',
  fail_alloc: 'HMM_DMIRROR_FLAGS, FAIL_ALLOC',
  snapshot: 'HMM_DMIRROR_SNAPSHOT',
  evict: 'eviction by the driver',
  release: 'HMM_DMIRROR_RELEASE',
  open: 'open of the device',
  close: 'close of the device',
  pagemap: 'read of /proc/self/pagemap',
  scan: 'PAGEMAP_SCAN',
  clear_soft_dirty: 'write of /proc/self/clear_refs',
  pin: 'vmsplice',
  gup: 'get_user_pages',
  unpin: 'unpin',
  fork: 'fork',
  exit: 'exit',
  oom_reap: 'the OOM reaper',
  uffd_register: 'UFFDIO_REGISTER',
  uffd_unregister: 'UFFDIO_UNREGISTER',
  uffd_copy: 'UFFDIO_COPY',
  uffd_serve: 'the monitor of a userfaultfd',
  uffd_stop: 'the end of that monitor',
};

/** An operation as the kernel is asked for it: `munmap: buf0:0`. */
export function callWords(op: Op): string {
  const words = opWords(op).slice(op.op.length).trim();
  return words === '' ? CALLS[op.op] : `${CALLS[op.op]}: ${words}`;
}
