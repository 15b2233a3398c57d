/**
 * What everything in a program means, in a sentence or less, for whoever writes one. Apart from the table
 * of operations, as nothing that runs a program needs it.
 */
import type { OpField, OpName } from './ops.ts';
import type {
  CONCURRENT_FIELDS,
  CONDITION_FIELDS,
  Expected,
  HEAD_FIELDS,
  MachineSpec,
  Result,
  SEQUENTIAL_FIELDS,
} from './schema.ts';

/** What a field means, and the unit of a number in it. */
export interface Meaning {
  readonly what: string;
  readonly unit?: string;
}

type TopField =
  | (typeof HEAD_FIELDS)[number]
  | (typeof SEQUENTIAL_FIELDS)[number]
  | (typeof CONCURRENT_FIELDS)[number]
  | (typeof CONDITION_FIELDS)[number];

/** What each operation does. */
export const OP_MEANINGS: Record<OpName, string> = {
  mmap: 'makes an area (VMA) where none is: mmap() with MAP_FIXED_NOREPLACE',
  munmap: 'takes the areas of a range away, with all that they map: munmap()',
  mprotect: 'changes what a range may be used for: mprotect()',
  madvise: 'gives advice on a range: madvise()',
  mremap: 'moves a range to another place, of the same length: mremap()',
  mremap_dontunmap: 'moves what a range maps; its areas stay, and are empty: MREMAP_DONTUNMAP',
  cpu_write: 'a CPU writes a word into each page: page faults as they come',
  cpu_read: 'a CPU reads the first word of each page: page faults as they come',
  file_read: 'reads the file that was mapped there, past all mappings: pread()',
  file_write: 'writes whole pages of the file that was mapped there, past all mappings: pwrite()',
  dev_read: 'the device reads, and has faulted in what is missing: HMM_DMIRROR_READ',
  dev_read_unlocked:
    'the same, but a fault may give mmap_lock up, for a monitor: HMM_DMIRROR_READ_UNLOCKED',
  dev_write: 'the device writes, and has faulted in what is missing: HMM_DMIRROR_WRITE',
  migrate_to_dev: 'moves what is present to the device’s memory: HMM_DMIRROR_MIGRATE_TO_DEV',
  migrate_to_sys: 'brings pages back to RAM: HMM_DMIRROR_MIGRATE_TO_SYS',
  fault_migrate_to_dev:
    'migrate on fault: faults what is missing and moves all of it to the device',
  exclusive: 'gives the device alone the right to a range, for atomics: HMM_DMIRROR_EXCLUSIVE',
  check_exclusive: 'asks whether the device still has it alone: HMM_DMIRROR_CHECK_EXCLUSIVE',
  fail_alloc: 'makes the device’s next allocation of a page fail: HMM_DMIRROR_FLAG_FAIL_ALLOC',
  snapshot: 'what hmm_range_fault() sees, faulting nothing: HMM_DMIRROR_SNAPSHOT',
  evict: 'the device gives all of its memory back: migrate_device_range()',
  release: 'takes all of the device’s memory away, which goes back to RAM: HMM_DMIRROR_RELEASE',
  open: 'opens the device anew: it mirrors the address space of the process that does so',
  close: 'the device is closed: its memory goes back to RAM, its notifier goes',
  pagemap: 'what /proc/self/pagemap says of each page',
  scan: 'what PAGEMAP_SCAN says of each page',
  clear_soft_dirty: 'forgets what was changed: 4 is written to /proc/self/clear_refs',
  pin: 'holds one more reference to a page, so that it cannot move',
  gup: 'takes pages for whoever reads or writes them behind the process’s back: get_user_pages()',
  unpin: 'drops what pin or gup holds',
  fork: 'makes a child, which shares memory until one of them writes: fork()',
  exit: 'the process ends: its memory and what it has open go',
  oom_reap: 'takes the memory of a process that is to die: the OOM reaper',
  uffd_register: 'missing pages of a range are for a monitor to give: UFFDIO_REGISTER',
  uffd_unregister: 'they are the kernel’s again, and who waits goes on: UFFDIO_UNREGISTER',
  uffd_copy: 'gives missing pages, one after the other: UFFDIO_COPY',
  uffd_serve: 'the monitor: answers missing faults of its process as they come',
  uffd_stop: 'tells the monitor of the process to stop',
};

/** What each field of an operation means. */
export const OP_FIELD_MEANINGS: Record<OpField | 'op' | 'proc' | 'comment' | 'expect', Meaning> = {
  op: { what: 'the operation' },
  proc: { what: 'the process that performs it; default 0', unit: 'number of a process' },
  comment: { what: 'for readers: a string, or several' },
  expect: {
    what: 'what it must return, whatever the schedule: fields of a result, or a list of such, one of which it is; fields left out may be anything, and it is not looked at after an allocation that was made to fail',
  },
  buf: { what: 'the buffer: a range of addresses of its own', unit: 'number of a buffer' },
  page: { what: 'the first page, from the buffer’s beginning', unit: 'pages' },
  pages: { what: 'how many pages', unit: 'pages' },
  prot: { what: 'what the area may be used for: PROT_READ, PROT_WRITE' },
  kind: { what: 'what is behind the area, and who shares it' },
  advice: { what: 'the advice: MADV_…' },
  toBuf: { what: 'the buffer to move it to', unit: 'number of a buffer' },
  toPage: { what: 'the first page to move it to', unit: 'pages' },
  tag: { what: 'page i of the range gets the word tag × 65536 + i', unit: 'any number' },
  dev: { what: 'the device', unit: 'number of a device' },
  write: { what: '1: whoever asks is about to write, 0: to read' },
  id: { what: 'names the pin, to drop it later', unit: 'number of a pin' },
  how: { what: 'how the pages are taken: get_user_pages(), pin_user_pages(), …' },
  faults: {
    what: 'after how many missing faults the monitor ends, if it is not told to',
    unit: 'faults',
  },
  child: { what: 'the process that it makes', unit: 'number of a process' },
};

/** What each choice of a field means. */
export const VALUE_MEANINGS: Partial<Record<OpField | keyof MachineSpec, Record<string, string>>> =
  {
    prot: { none: 'no access: PROT_NONE', r: 'to read: PROT_READ', rw: 'to read and write' },
    kind: {
      anon: 'anonymous, private: a child gets copies',
      'anon-shared': 'anonymous, shared with children',
      'file-private': 'of a file, with writes kept to oneself',
      'file-shared': 'of a file, with writes for everybody',
      hugetlb: 'huge pages of the pool, private: MAP_HUGETLB; the length is rounded up',
      driver: 'pages of device 0’s driver, private: mmap() of the open device',
    },
    advice: {
      dontneed: 'drops the pages; the next touch gets zeros',
      free: 'may be dropped until it is written again',
      cold: 'not used soon',
      pageout: 'to be reclaimed now; what a device has comes back first',
      hugepage: 'huge pages where they fit',
      nohugepage: 'no huge pages',
      populate_read: 'faults all of it for reading',
      populate_write: 'faults all of it for writing',
      collapse: 'makes huge pages of small ones',
      dontfork: 'children do not get it',
      willneed: 'used soon',
    },
    how: {
      get: 'references them: get_user_pages()',
      get_fast: 'the same, without locks where it can: get_user_pages_fast()',
      pin: 'pins them: pin_user_pages()',
      pin_fast: 'the same, without locks where it can: pin_user_pages_fast()',
      pin_longterm: 'pins them for as long as somebody likes: FOLL_LONGTERM',
      pin_fast_longterm: 'the same, without locks where it can',
    },
    walk: {
      collect: 'as Linux 7.3.4: one walk to fault, another to collect',
      unified: 'one walk faults and collects',
      'as-posted': 'the same as it was posted, mistakes included',
    },
    driver: {
      mended: 'its page table is right at any time',
      stock:
        'the guards of lib/test_hmm.c alone: what goes wrong for want of more is told as a flaw of Linux',
    },
  };

/** What each field of the machine means. */
export const MACHINE_MEANINGS: Record<keyof MachineSpec, Meaning> = {
  walk: { what: 'how a migration is prepared; default unified' },
  pmdOrder: {
    what: 'a huge page, which one PMD entry maps, is 2^pmdOrder pages; default 9',
    unit: 'log2 of pages',
  },
  pageBytes: { what: 'size of a page, a power of two; default 4096', unit: 'bytes' },
  cpus: { what: 'how many CPUs; default 1, in a concurrent program one a task', unit: 'CPUs' },
  ramPages: {
    what: 'RAM; default 2097152, of which one mapping gets 1002500, as on the machine of the recordings. Where none is left, ENOMEM; an access that waits for it for ever ends the program',
    unit: 'pages',
  },
  hugetlbPages: { what: 'the pool for hugetlb mappings; default 16', unit: 'huge pages' },
  mended: { what: 'whether the mistake of 7.3.4 that recorded results show is mended' },
  driver: { what: 'the test driver of the devices; default mended' },
  unmended: {
    what: 'mends of the kernel that are off: there it does what 7.3.4 does; default none',
  },
};

/** What each field of a program means. */
export const PROGRAM_MEANINGS: Record<TopField, Meaning> = {
  name: { what: 'names the program in messages' },
  comment: { what: 'what to look for: a string, or several' },
  machine: { what: 'the machine that it runs on' },
  ops: { what: 'operations, one after the other' },
  results: { what: 'what each operation returned when it was recorded on Linux' },
  setup: { what: 'operations before the tasks begin, one after the other' },
  tasks: { what: 'by name: operations of tasks that run at the same time' },
  after: { what: 'operations when every task has ended' },
  exists: { what: 'a condition, or several: each holds at the end of some schedule' },
  forall: { what: 'a condition, or several: each holds at the end of every schedule' },
  never: { what: 'a condition, or several: none holds at the end of any schedule' },
};

/** What a condition is. */
export const CONDITION_MEANING: Meaning = {
  what: 'by operation ("gpu[0]" is the first one of the task gpu, "after[0]" of after): what it returns; all of it holds at once',
};

/** What each field of a result means. */
export const RESULT_MEANINGS: Record<keyof Result | keyof Expected, Meaning> = {
  ret: { what: 'ok, the name of an errno, or of a signal' },
  done: { what: 'accessed before a signal, or taken by gup', unit: 'pages' },
  cpages: { what: 'that the driver reports', unit: 'pages' },
  faults: { what: 'that the device took', unit: 'faults' },
  tag: {
    what: 'what every page read holds: what a write with this tag put there, "zero" what nobody wrote, "file" what its file began with',
  },
  tags: { what: 'the first words of the pages, as runs [first, count, step]' },
  prot: { what: 'bytes of HMM_DMIRROR_SNAPSHOT, as runs [value, count]' },
  bits: { what: 'what pagemap says, as runs [value, count]' },
};
