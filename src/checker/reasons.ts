/**
 * What Linux does not promise of operations that run at the same time: each reason for which a result counts
 * as right though no order of the operations, one after the other, gives it.
 */
import { FLAWS } from '../drivers/index.ts';
import type { Op, OpName, Result, ValueRun } from '../program/index.ts';
import { valuesOf } from '../program/internal.ts';

/** A reason: what is seen, and where in Linux it lies. */
export interface Reason {
  readonly name: string;
  /** The kernel's function, and what it does there. */
  readonly why: string;
}

/** Operations whose range Linux takes a page, or a part, after the other. */
const PARTED = new Set<OpName>([
  'munmap',
  'mprotect',
  'madvise',
  'cpu_write',
  'cpu_read',
  'file_read',
  'file_write',
  'dev_read',
  'dev_read_unlocked',
  'dev_write',
  'migrate_to_dev',
  'migrate_to_sys',
  'fault_migrate_to_dev',
  'exclusive',
  'check_exclusive',
  'snapshot',
  'pagemap',
  'scan',
  'uffd_copy',
  'gup',
]);

/** Whether an operation's range is no one thing. */
export function isParted(op: Op): boolean {
  return PARTED.has(op.op) && !(op.op === 'madvise' && op.advice === 'collapse');
}

/** The operation as the tables have it: an advice is one of its own. */
const nameOf = (op: Op): string => (op.op === 'madvise' ? `madvise ${op.advice}` : op.op);

// ---- fields that no order decides ----

const FAULTS: Reason = {
  name: 'a device faults more often, or less',
  why: 'dmirror_fault() faults again what was invalidated meanwhile, and not what another has faulted in',
};

const CLAIM: Reason = FLAWS.claimed;

const REPLACED: Reason = {
  name: 'an observer meets an entry that is being replaced',
  why: 'walk_pmd_range() looks without a lock and takes a cleared entry for a hole; migration entries are told as they are, hmm_vma_handle_pte() has nothing for them',
};

const SPLIT: Reason = {
  name: 'an observer meets a huge page that was split first',
  why: 'split_huge_pmd() maps by entries what wp_huge_pmd() or a migration of a part changes after that',
};

const COUNTED: Reason = {
  name: 'an observer counts mappings while some are under way',
  why: 'remove_migration_ptes() maps a folio again in one process after the other: pagemap takes it for mapped once',
};

const PUT_BACK: Reason = {
  name: 'an observer meets pages that a split put back',
  why: 'migrate_vma_split_folio() maps each page of a folio again, a device’s alone too, for the part that was faulted in and migrates after that',
};

/** How an observer tells what it sees. */
interface View {
  /** The bit that may be another, and why. */
  readonly loose: number;
  readonly reason: Reason;
  readonly isPresent: (value: number) => boolean;
}

/** Why an observer that runs at the same time sees what is in no order; null: it must not. */
function reasonOfView(
  seen: readonly ValueRun[] = [],
  given: readonly ValueRun[] = [],
  { loose, reason, isPresent }: View,
  others: readonly Op[],
): Reason | null {
  const [a, b] = [valuesOf(seen), valuesOf(given)];
  const differ = a.flatMap((value, i) => (value === b[i] ? [] : [i]));
  if (a.length !== b.length) return null;
  const isLoose = (i: number): boolean => (a[i] | loose) === (b[i] | loose);
  if (differ.every(isLoose)) return reason;
  if (differ.every((i) => isLoose(i) || !isPresent(a[i]))) return REPLACED;
  if (!others.some(({ op }) => op === 'fault_migrate_to_dev')) return null;
  return differ.every((i) => isLoose(i) || !isPresent(b[i])) ? PUT_BACK : null;
}

const isPresent = (bits: number): boolean => (bits & 1) === 1;
const VIEWS = {
  /** Mapped exclusively. */
  pagemap: { loose: 16, reason: COUNTED, isPresent },
  /** Huge. */
  scan: { loose: 8, reason: SPLIT, isPresent },
  snapshot: { loose: 4, reason: SPLIT, isPresent: (prot) => prot !== 0 },
} as const satisfies Record<string, View>;

/** What is known of a result that is another than that of an order. */
export interface Differing {
  readonly op: Op;
  readonly field: keyof Result;
  readonly seen: Result;
  readonly given: Result;
  /** What other tasks do while a task performs the operation; null: no task does. */
  readonly others: readonly Op[] | null;
  /** The driver is the kernel's own, with its mistakes. */
  readonly isStock: boolean;
}

/** Why a field of a result may be another than in every order. */
export function reasonToDiffer({
  op,
  field,
  seen,
  given,
  others,
  isStock,
}: Differing): Reason | null {
  if (field === 'faults') return FAULTS;
  if (isStock && op.op === 'check_exclusive' && field === 'ret') return CLAIM;
  if (others === null) return null;
  if (field === 'bits') {
    const view = op.op === 'scan' ? VIEWS.scan : VIEWS.pagemap;
    return reasonOfView(seen.bits, given.bits, view, others);
  }
  return field === 'prot' ? reasonOfView(seen.prot, given.prot, VIEWS.snapshot, others) : null;
}

// ---- operations that fail ----

/** An operation that fails. */
export interface Failure extends Reason {
  readonly ops: readonly string[];
  readonly rets: readonly string[];
  /** What memory holds then is not promised. */
  readonly leavesAnything?: true;
}

const FAILURES: readonly Failure[] = [
  {
    name: 'a device gives up what is taken away each time',
    why: 'dmirror_range_fault() and dmirror_exclusive() return -EBUSY when HMM_RANGE_DEFAULT_TIMEOUT is over',
    ops: [
      'dev_read',
      'dev_read_unlocked',
      'dev_write',
      'exclusive',
      'snapshot',
      'fault_migrate_to_dev',
    ],
    rets: ['EBUSY'],
  },
  {
    name: 'migrated pages are gone before they are read back',
    why: 'dmirror_do_read() finds no entry in the device page table: an invalidation took it',
    ops: ['migrate_to_dev', 'fault_migrate_to_dev', 'exclusive'],
    rets: ['ENOENT'],
  },
  {
    name: 'an area goes between a fault and its migration',
    why: 'with two walks mmap_lock is given up between them: vma_lookup() finds no area for migrate_vma_setup()',
    ops: ['fault_migrate_to_dev'],
    rets: ['EINVAL'],
  },
  {
    name: 'pages change while they are collapsed',
    why: 'madvise_collapse_errno(): a page is locked, held, not on a list, or its table changes',
    ops: ['madvise collapse'],
    rets: ['EAGAIN', 'EBUSY', 'EINVAL', 'ENOMEM'],
  },
  {
    name: 'the reaper does not wait',
    why: 'oom_reap_task_mm() passes over an area whose notifier would sleep, in memory that is unstable from there on',
    ops: ['oom_reap'],
    rets: ['EAGAIN'],
    leavesAnything: true,
  },
  {
    name: 'a page that is to be pinned for long cannot be moved now',
    why: 'migrate_longterm_unpinnable_folios() migrates, which fails where a page is in use',
    ops: ['gup'],
    rets: ['EBUSY'],
  },
];

/** Why an operation may fail as it did, whatever part of its work it has done. */
export function reasonOfFailure(op: Op, { ret }: Result): Failure | null {
  const name = nameOf(op);
  return FAILURES.find(({ ops, rets }) => ops.includes(name) && rets.includes(ret)) ?? null;
}

// ---- operations that leave something as it was ----

interface Leaving extends Reason {
  readonly ops: readonly string[];
}

const LEAVINGS: readonly Leaving[] = [
  {
    name: 'a page in use is not migrated',
    why: 'migrate_vma_collect_pmd() does not wait for a folio lock, migrate_device_unmap() leaves what is held',
    ops: ['migrate_to_dev', 'migrate_to_sys', 'fault_migrate_to_dev', 'evict'],
  },
  {
    name: 'advice passes over a page in use',
    why: 'madvise_free_pte_range() and madvise_cold_or_pageout_pte_range() do not wait for a folio lock',
    ops: ['madvise free', 'madvise cold', 'madvise pageout'],
  },
];

const LOST: Reason = FLAWS.copied;

/**
 * Why an operation that did not fail may have left a part of its range as it was.
 * @param isStock the driver is the kernel's own, with its mistakes
 */
export function reasonToLeave(op: Op, { ret }: Result, isStock: boolean): Reason | null {
  if (ret !== 'ok') return null;
  const name = nameOf(op);
  if (isStock && name === 'dev_write') return LOST;
  return LEAVINGS.find(({ ops }) => ops.includes(name)) ?? null;
}

// ---- operations that are several ----

const SEVERAL: Reason = {
  name: 'a fault and what it is for are two',
  why: 'what handle_mm_fault() has faulted in may be shared, dropped, moved or written before it is written or migrated, and its own steps (back to RAM, a copy) may be seen; a device’s fault to write writes what it has read',
};

/** To write back what the step before it has read. */
export const WRITE_BACK = 'write back';
export type OpStep = Op | typeof WRITE_BACK;

/** What an operation does to its range before what it is for; null: nothing that could be seen. */
function faultsOf(op: Op): OpStep[] | null {
  if (!('buf' in op && 'pages' in op)) return null;
  const { buf, page, pages, proc } = op;
  const place = { buf, page, pages, proc };
  const read: Op = { op: 'madvise', ...place, advice: 'populate_read' };
  const write: Op = { ...read, advice: 'populate_write' };
  switch (op.op) {
    case 'cpu_write':
      return [read, write];
    case 'dev_write':
      return [{ op: 'dev_read', dev: op.dev, ...place }, write];
    case 'exclusive':
      return [read, write];
    case 'madvise':
      return op.advice === 'populate_write' || op.advice === 'collapse' ? [read] : null;
    case 'fault_migrate_to_dev': {
      const fault: Op = { op: 'dev_read', dev: op.dev, ...place };
      return op.write ? [fault, WRITE_BACK] : [fault];
    }
    default:
      return null;
  }
}

/** An operation, or a part of one, in the steps that something may come between; and why. */
export function stepsOf(op: Op): { steps: OpStep[]; reason: Reason } | null {
  const faults = faultsOf(op);
  if (!faults) return null;
  if (op.op !== 'fault_migrate_to_dev') return { steps: [...faults, op], reason: SEVERAL };
  const { dev, buf, page, pages, proc } = op;
  const migrate: Op = { op: 'migrate_to_dev', dev, buf, page, pages, proc };
  return { steps: [...faults, migrate], reason: SEVERAL };
}

/** All of them. */
export const REASONS: readonly Reason[] = [
  FAULTS,
  ...Object.values(FLAWS),
  REPLACED,
  SPLIT,
  COUNTED,
  PUT_BACK,
  ...FAILURES,
  ...LEAVINGS,
  SEVERAL,
];

/** An allocation was made to fail: an operation may fail, or do a part of its work. */
export const NO_MEMORY = 'an allocation failed';
/** Nobody looked: there are too many orders, or an operation waits for one of another task. */
export const NOT_KNOWN = 'not looked at';
