/**
 * The generated suite: two operations at the same time on memory in a state that was prepared, as concurrent
 * programs. Each is made of its name: `pair:huge/munmap.whole/dev_write.part`.
 */
import type { ConcurrentProgram, MachineSpec, Op, OpName, Walk } from '../program/index.ts';
import { didYouMean } from '../program/light.ts';

/** What the names of generated programs begin with. */
export const PAIR_PREFIX = 'pair:';

/** Pages of a range: from which on, and how many. */
interface Range {
  readonly page: number;
  readonly pages: number;
}

/** Memory that was prepared. */
interface PreparedState {
  readonly what: string;
  readonly setup: readonly Op[];
  readonly machine?: MachineSpec;
  /** Pages of buffer 0 that are in the state; a page behind them is another area's. */
  readonly pages: number;
  /** There is a child, process 1, that shares them. */
  readonly isShared?: true;
  /** What a third task does: who waits for it goes on, if the area stays. */
  readonly monitor?: readonly Op[];
  /** Operations that are not for it. */
  readonly without?: readonly string[];
}

const BUF = { buf: 0, proc: 0 } as const;
const area = (
  page: number,
  pages: number,
  kind: 'anon' | 'file-private' | 'file-shared' | 'anon-shared' = 'anon',
): Op => ({
  op: 'mmap',
  ...BUF,
  page,
  pages,
  prot: 'rw',
  kind,
});
const write = (page: number, pages: number, tag = 1): Op => ({
  op: 'cpu_write',
  ...BUF,
  page,
  pages,
  tag,
});
const read = (page: number, pages: number): Op => ({ op: 'cpu_read', ...BUF, page, pages });
const advise = (
  page: number,
  pages: number,
  advice: Extract<Op, { op: 'madvise' }>['advice'],
): Op => ({
  op: 'madvise',
  ...BUF,
  page,
  pages,
  advice,
});
const toDevice = (pages: number, dev = 0): Op => ({
  op: 'migrate_to_dev',
  ...BUF,
  dev,
  page: 0,
  pages,
});
const protect = (page: number, pages: number, prot: 'r' | 'rw' | 'none'): Op => ({
  op: 'mprotect',
  ...BUF,
  page,
  pages,
  prot,
});
const fork: Op = { op: 'fork', child: 1, proc: 0 };
/** The area behind: another one, as its flags differ. */
const next = (page: number): Op[] => [area(page, 1), advise(page, 1, 'nohugepage')];
/** An area that is new is soft-dirty as a whole; from here on its entries say what was written. */
const forget: Op = { op: 'clear_soft_dirty', proc: 0 };
const base: Op[] = [area(0, 2), ...next(2), forget];
const huge: Op[] = [area(0, 8), advise(0, 8, 'hugepage'), forget];
const hugeWritten: Op[] = [...huge, write(0, 4)];
const written: Op[] = [...base, write(0, 2)];

/** The states, by name. */
const STATES = {
  present: { what: 'present pages', setup: written, pages: 2 },
  shared: { what: 'shared with a child', setup: [...written, fork], pages: 2, isShared: true },
  'read-only': {
    what: 'present, in an area to be read',
    setup: [...written, protect(0, 2, 'r')],
    pages: 2,
  },
  missing: { what: 'never touched', setup: base, pages: 2 },
  zero: { what: 'zero pages', setup: [...base, read(0, 2)], pages: 2 },
  free: { what: 'lazily freed', setup: [...written, advise(0, 2, 'free')], pages: 2 },
  exclusive: {
    what: 'a device’s alone',
    setup: [...written, { op: 'exclusive', ...BUF, dev: 0, page: 0, pages: 2 }],
    pages: 2,
  },
  'exclusive-large': {
    what: 'a device’s alone, pages of a large folio',
    setup: [...hugeWritten, { op: 'exclusive', ...BUF, dev: 0, page: 0, pages: 4 }],
    pages: 4,
  },
  device: { what: 'on a device', setup: [...written, toDevice(2)], pages: 2 },
  'device-shared': {
    what: 'on a device, shared with a child',
    setup: [...written, toDevice(2), fork],
    pages: 2,
    isShared: true,
  },
  coherent: {
    what: 'in coherent memory of a device',
    setup: [...written, toDevice(2, 2)],
    pages: 2,
  },
  huge: { what: 'a huge page', setup: hugeWritten, pages: 4 },
  'huge-shared': {
    what: 'a huge page shared with a child',
    setup: [...hugeWritten, fork],
    pages: 4,
    isShared: true,
  },
  'huge-entries': {
    what: 'a huge page mapped by entries',
    setup: [...hugeWritten, protect(1, 1, 'r'), protect(1, 1, 'rw')],
    pages: 4,
  },
  'huge-zero': { what: 'the huge zero page', setup: [...huge, read(0, 4)], pages: 4 },
  'huge-device': {
    what: 'a huge page on a device',
    setup: [...hugeWritten, toDevice(4)],
    pages: 4,
  },
  hugetlb: {
    what: 'a huge page of the pool',
    machine: { hugetlbPages: 2 },
    setup: [
      { op: 'mmap', ...BUF, page: 0, pages: 4, prot: 'rw', kind: 'hugetlb' },
      forget,
      write(0, 2),
    ],
    pages: 4,
  },
  monitored: {
    what: 'missing, for a monitor to give',
    setup: [...base, { op: 'uffd_register', ...BUF, page: 0, pages: 2 }],
    pages: 2,
    monitor: [
      { op: 'uffd_copy', ...BUF, page: 0, pages: 2, tag: 9 },
      { op: 'uffd_unregister', ...BUF, page: 0, pages: 3 },
    ],
    // nobody wakes who waits in an area that has gone
    without: ['munmap', 'mremap', 'mremap_dontunmap', 'oom_reap'],
  },
  pinned: {
    what: 'pinned pages',
    setup: [...written, { op: 'gup', ...BUF, id: 0, page: 0, pages: 2, write: 1, how: 'pin' }],
    pages: 2,
  },
  file: {
    what: 'pages of a shared file',
    setup: [area(0, 2, 'file-shared'), ...next(2), forget, write(0, 1)],
    pages: 2,
  },
  'file-private': {
    what: 'pages of a file, one of them written',
    setup: [area(0, 2, 'file-private'), ...next(2), forget, write(0, 1), read(1, 1)],
    pages: 2,
  },
  memory: {
    what: 'anonymous memory shared with a child',
    setup: [area(0, 2, 'anon-shared'), ...next(2), forget, write(0, 2), fork],
    pages: 2,
    isShared: true,
  },
  driver: {
    what: 'pages of a driver',
    setup: [{ op: 'mmap', ...BUF, page: 0, pages: 2, prot: 'rw', kind: 'driver' }, ...next(2)],
    pages: 2,
  },
  'no-access': {
    what: 'present, in an area that nobody may access',
    setup: [...written, protect(0, 2, 'none')],
    pages: 2,
  },
  'file-missing': {
    what: 'missing pages of a private mapping of a file',
    setup: [area(0, 2, 'file-private'), ...next(2)],
    pages: 2,
  },
  table: {
    what: 'all pages of a table',
    setup: [area(0, 8), advise(0, 8, 'nohugepage'), forget, write(0, 4)],
    pages: 4,
  },
  'huge-pinned': {
    what: 'a huge page that is pinned',
    setup: [...hugeWritten, { op: 'gup', ...BUF, id: 0, page: 0, pages: 4, write: 1, how: 'pin' }],
    pages: 4,
  },
  'coherent-pinned': {
    what: 'pinned, in coherent memory of a device',
    setup: [
      ...written,
      toDevice(2, 2),
      { op: 'gup', ...BUF, id: 0, page: 0, pages: 2, write: 1, how: 'pin' },
    ],
    pages: 2,
  },
  'huge-monitored': {
    what: 'a huge page, and a monitor that gives what is missing',
    setup: [...hugeWritten, { op: 'uffd_register', ...BUF, page: 0, pages: 4 }],
    pages: 4,
    monitor: [
      { op: 'uffd_copy', ...BUF, page: 0, pages: 4, tag: 9 },
      { op: 'uffd_unregister', ...BUF, page: 0, pages: 8 },
    ],
    without: ['munmap', 'mremap', 'mremap_dontunmap', 'oom_reap'],
  },
} as const satisfies Record<string, PreparedState>;
export type StateName = keyof typeof STATES;
const STATE: Readonly<Record<StateName, PreparedState>> = STATES;
export const STATE_NAMES = Object.keys(STATES) as StateName[];

const BASE: readonly StateName[] = ['present', 'shared', 'exclusive', 'device', 'missing', 'zero'];
const HUGE: readonly StateName[] = [
  'huge',
  'huge-shared',
  'huge-entries',
  'huge-zero',
  'huge-device',
  'exclusive-large',
];
const FILES: readonly StateName[] = ['file', 'file-private', 'file-missing', 'memory'];
const DEVICES: readonly StateName[] = [
  'device',
  'device-shared',
  'huge-device',
  'coherent',
  'exclusive',
];

/** An operation as a task performs it. */
interface PairOp {
  /** Made of a range, the process and the task's number: 0 or 1. */
  readonly ops: (range: Range, proc: number, task: number) => Op[];
  /** The states that it is for; none: all. */
  readonly states?: readonly StateName[];
  /** Others that it is for: in the quick suite it has a pair of its own there, beside those of the others. */
  readonly more?: readonly StateName[];
  /** It takes no range. */
  readonly isWhole?: true;
  /** It changes nothing. */
  readonly looks?: true;
}

const ranged =
  (op: (place: { buf: number; page: number; pages: number; proc: number }, task: number) => Op) =>
  ({ page, pages }: Range, proc: number, task: number): Op[] => [
    op({ buf: 0, page, pages, proc }, task),
  ];
const several =
  (ops: (place: { buf: number; page: number; pages: number; proc: number }) => Op[]) =>
  ({ page, pages }: Range, proc: number): Op[] =>
    ops({ buf: 0, page, pages, proc });
const advised = (
  advice: Extract<Op, { op: 'madvise' }>['advice'],
  states?: readonly StateName[],
): PairOp => ({
  ops: ranged((place) => ({ op: 'madvise', ...place, advice })),
  ...(states ? { states } : {}),
});
const taken = (
  how: Extract<Op, { op: 'gup' }>['how'],
  isWrite: 0 | 1,
  states?: readonly StateName[],
): PairOp => ({
  ops: ({ page, pages }, proc, task) => [
    { op: 'gup', id: 1 + task, buf: 0, page, pages, proc, write: isWrite, how },
    { op: 'unpin', id: 1 + task, proc },
  ],
  ...(states ? { states } : {}),
});
/** Two tasks have a device each, the first one that on which memory may be. */
const device = (task: number): number => task;

/** What a task may do, by name: every operation of the table that makes sense at the same time as another. */
const TASK_OPS = {
  munmap: { ops: ranged((place) => ({ op: 'munmap', ...place })) },
  mprotect_r: { ops: ranged((place) => ({ op: 'mprotect', ...place, prot: 'r' })) },
  mprotect_none: { ops: ranged((place) => ({ op: 'mprotect', ...place, prot: 'none' })) },
  mprotect_rw: {
    ops: ranged((place) => ({ op: 'mprotect', ...place, prot: 'rw' })),
    states: ['read-only', 'no-access'],
  },
  mremap: { ops: ranged((place) => ({ op: 'mremap', ...place, toBuf: 1, toPage: place.page })) },
  mremap_dontunmap: {
    ops: ranged((place) => ({ op: 'mremap_dontunmap', ...place, toBuf: 1, toPage: place.page })),
  },
  mmap: {
    ops: ranged((place) => ({ op: 'mmap', ...place, prot: 'rw', kind: 'anon' })),
    states: ['present', 'device', 'huge'],
  },
  cpu_write: { ops: ranged((place, task) => ({ op: 'cpu_write', ...place, tag: 5 + task })) },
  cpu_read: { ops: ranged((place) => ({ op: 'cpu_read', ...place })) },
  file_read: { ops: ranged((place) => ({ op: 'file_read', ...place })), states: FILES },
  file_write: {
    ops: ranged((place, task) => ({ op: 'file_write', ...place, tag: 5 + task })),
    states: FILES,
  },
  dev_read: { ops: ranged((place, task) => ({ op: 'dev_read', ...place, dev: device(task) })) },
  dev_read_unlocked: {
    ops: ranged((place, task) => ({ op: 'dev_read_unlocked', ...place, dev: device(task) })),
    states: ['monitored', 'missing', 'device'],
  },
  dev_write: {
    ops: ranged((place, task) => ({ op: 'dev_write', ...place, dev: device(task), tag: 5 + task })),
  },
  migrate_to_dev: {
    ops: ranged((place, task) => ({ op: 'migrate_to_dev', ...place, dev: device(task) })),
  },
  migrate_to_sys: {
    ops: ranged((place) => ({ op: 'migrate_to_sys', ...place, dev: 0 })),
    states: DEVICES,
  },
  migrate_to_coherent: {
    ops: ranged((place) => ({ op: 'migrate_to_dev', ...place, dev: 2 })),
    // Linux warns where a large folio is brought back for a long pin: see gup_longterm
    states: [...BASE, 'coherent'],
    more: ['file', 'file-private', 'memory'],
  },
  coherent_to_sys: {
    ops: ranged((place) => ({ op: 'migrate_to_sys', ...place, dev: 2 })),
    states: ['coherent'],
  },
  fault_migrate: {
    ops: ranged((place, task) => ({
      op: 'fault_migrate_to_dev',
      ...place,
      dev: device(task),
      write: 0,
    })),
  },
  fault_migrate_write: {
    ops: ranged((place, task) => ({
      op: 'fault_migrate_to_dev',
      ...place,
      dev: device(task),
      write: 1,
    })),
  },
  exclusive: { ops: ranged((place, task) => ({ op: 'exclusive', ...place, dev: device(task) })) },
  check_exclusive: {
    ops: ranged((place) => ({ op: 'check_exclusive', ...place, dev: 0 })),
    states: ['exclusive', 'exclusive-large'],
    looks: true,
  },
  fail_alloc: {
    ops: (_, proc, task) => [{ op: 'fail_alloc', dev: 1 - device(task), proc }],
    states: ['present', 'huge'],
    isWhole: true,
  },
  snapshot: {
    ops: ranged((place, task) => ({ op: 'snapshot', ...place, dev: device(task) })),
    looks: true,
  },
  evict: { ops: (_, proc) => [{ op: 'evict', dev: 0, proc }], states: DEVICES, isWhole: true },
  evict_coherent: {
    ops: (_, proc) => [{ op: 'evict', dev: 2, proc }],
    states: ['coherent'],
    isWhole: true,
  },
  release: {
    ops: (_, proc) => [{ op: 'release', dev: 0, proc }],
    states: ['device', 'huge-device'],
    isWhole: true,
  },
  open: {
    ops: (_, proc) => [{ op: 'open', dev: 0, proc }],
    states: ['device', 'device-shared', 'exclusive'],
    isWhole: true,
  },
  close: {
    ops: (_, proc) => [{ op: 'close', dev: 0, proc }],
    states: [...DEVICES, 'present', 'driver'],
    isWhole: true,
  },
  pagemap: { ops: ranged((place) => ({ op: 'pagemap', ...place })), looks: true },
  scan: { ops: ranged((place) => ({ op: 'scan', ...place })), looks: true },
  clear_soft_dirty: {
    ops: (_, proc) => [{ op: 'clear_soft_dirty', proc }],
    isWhole: true,
  },
  pin: {
    ops: ({ page }, proc, task) => [
      { op: 'pin', id: 1 + task, buf: 0, page, proc },
      { op: 'unpin', id: 1 + task, proc },
    ],
    states: [...BASE, ...HUGE, 'file'],
  },
  gup_get: taken('get', 0, [...BASE, 'huge-entries', 'file-private']),
  gup_get_fast: taken('get_fast', 0, [...BASE, ...HUGE, 'file']),
  gup_pin: taken('pin', 1, [...BASE, ...HUGE, 'file-private', 'hugetlb']),
  gup_pin_fast: {
    ...taken('pin_fast', 1, [...BASE, ...HUGE, 'hugetlb', 'memory']),
    more: ['file-private'],
  },
  gup_pin_fast_read: taken('pin_fast', 0, [...BASE, ...HUGE, 'read-only']),
  gup_longterm: taken('pin_longterm', 1, [
    'coherent',
    'device',
    'present',
    'huge',
    'file',
    'coherent-pinned',
  ]),
  gup_fast_longterm: taken('pin_fast_longterm', 0, ['coherent', 'present', 'shared', 'huge']),
  unpin: {
    ops: (_, proc) => [{ op: 'unpin', id: 0, proc }],
    states: ['pinned', 'huge-pinned', 'coherent-pinned'],
    isWhole: true,
  },
  fork: { ops: (_, proc, task) => [{ op: 'fork', child: 2 + task, proc }], isWhole: true },
  exit: {
    ops: () => [{ op: 'exit', proc: 1 }],
    states: ['shared', 'device-shared', 'huge-shared', 'memory'],
    isWhole: true,
  },
  oom_reap: {
    ops: (_, proc) => [{ op: 'oom_reap', proc }],
    states: ['present', 'device', 'huge', 'huge-device', 'exclusive', 'file-private', 'hugetlb'],
    isWhole: true,
  },
  uffd_unregister: {
    ops: ranged((place) => ({ op: 'uffd_unregister', ...place })),
    states: ['monitored', 'huge-monitored'],
  },
  uffd_copy: {
    ops: ranged((place, task) => ({ op: 'uffd_copy', ...place, tag: 5 + task })),
    states: ['monitored'],
  },
  dontneed: advised('dontneed'),
  free: advised('free', [...BASE, ...HUGE, 'free', 'device-shared', 'file-private', 'pinned']),
  cold: advised('cold', [...BASE, ...HUGE, 'free', 'file-private', 'pinned']),
  pageout: advised('pageout', [...BASE, ...HUGE, 'free', 'coherent', 'file', 'pinned']),
  hugepage: advised('hugepage', ['present', 'huge', 'huge-device']),
  nohugepage: advised('nohugepage', ['huge', 'huge-device']),
  populate_read: advised('populate_read', ['missing', 'device', 'monitored', 'exclusive', 'file']),
  populate_write: advised('populate_write', [
    'missing',
    'shared',
    'zero',
    'huge-zero',
    'device',
    'exclusive',
  ]),
  collapse: advised('collapse', [
    'huge-entries',
    'exclusive-large',
    'huge-zero',
    'huge-device',
    'huge',
  ]),
  dontfork: advised('dontfork', ['present', 'device', 'huge']),
  willneed: advised('willneed', ['present', 'file']),
  // with a translation, which must not outlive the page
  read_dontneed_read: {
    ops: several((place) => [
      { op: 'cpu_read', ...place },
      { op: 'madvise', ...place, advice: 'dontneed' },
      { op: 'cpu_read', ...place },
    ]),
    states: ['table'],
    more: ['present', 'shared', 'huge', 'exclusive'],
  },
} as const satisfies Record<string, PairOp>;
export type PairOpName = keyof typeof TASK_OPS;
const TASK_OP: Readonly<Record<PairOpName, PairOp>> = TASK_OPS;
export const PAIR_OPS = Object.keys(TASK_OPS) as PairOpName[];

/** The parts of the prepared memory that an operation may take. */
const RANGES = ['whole', 'part', 'border'] as const;
/** And of a huge page or a table: what begins where it does, and ends within. */
const HUGE_RANGES = [...RANGES, 'head'] as const;
type RangeName = (typeof HUGE_RANGES)[number];
const rangesOf = ({ pages }: PreparedState): readonly RangeName[] =>
  pages > 2 ? HUGE_RANGES : RANGES;

function rangeOf(name: RangeName, { pages }: PreparedState): Range {
  if (name === 'whole') return { page: 0, pages };
  if (name === 'head') return { page: 0, pages: 1 };
  return name === 'part' ? { page: 1, pages: 1 } : { page: pages - 1, pages: 2 };
}

/** An operation of a pair, its range and the process that performs it. */
interface Side {
  readonly op: PairOpName;
  readonly range: RangeName;
  /** The child performs it. */
  readonly isChild: boolean;
}

const sideText = ({ op, range, isChild }: Side): string =>
  `${op}${TASK_OP[op].isWhole ? '' : `.${range}`}${isChild ? '.child' : ''}`;

/** Two operations on memory in a state, or three. */
export interface Pair {
  readonly state: StateName;
  readonly sides: readonly Side[];
  /** With the guards of lib/test_hmm.c alone. */
  readonly isStock?: true;
}

/** Whether a name is that of a generated program. */
export const isPairName = (name: string): boolean => name.startsWith(PAIR_PREFIX);

/** The walks on which a pair is something else: a fault that migrates is made of one of them. */
export function pairWalks({ sides }: Pair): readonly Walk[] {
  const isOfWalk = sides.some(({ op }) => op === 'fault_migrate' || op === 'fault_migrate_write');
  return isOfWalk ? ['unified', 'collect'] : ['unified'];
}

/** Names a pair, and all that it is made of. */
export const pairName = ({ state, sides, isStock }: Pair): string =>
  `${PAIR_PREFIX}${[state, ...sides.map(sideText), ...(isStock ? [STOCK] : [])].join('/')}`;
/** What the names of pairs end with whose driver is stock's. */
const STOCK = 'stock';

const isIn = <T extends string>(list: readonly T[], text: string): text is T =>
  list.includes(text as T);

function oneOf<T extends string>(list: readonly T[], text: string, what: string): T {
  if (isIn(list, text)) return text;
  throw new RangeError(`no ${what} is called "${text}"${didYouMean(text, list)}`);
}

/**
 * The states and operations of these names.
 * @throws RangeError for one that there is not
 */
export const stateNamed = (text: string): StateName => oneOf(STATE_NAMES, text, 'state');
export const pairOpNamed = (text: string): PairOpName =>
  oneOf(PAIR_OPS, text, 'operation of pairs');

function sideOf(text: string): Side {
  const [name, ...how] = text.split('.');
  const op = pairOpNamed(name);
  const isChild = how.at(-1) === 'child';
  if (isChild) how.pop();
  const range =
    TASK_OP[op].isWhole && how.length === 0 ? 'whole' : oneOf(HUGE_RANGES, how.join('.'), 'range');
  return { op, range, isChild };
}

/** The tasks' names. */
const NAMES = ['one', 'two', 'three'] as const;

/**
 * The program of a pair.
 * @param name as {@link pairName} gives it
 * @throws RangeError for a name that names none
 */
export function pairProgram(name: string): ConcurrentProgram {
  const [first, ...texts] = name.slice(PAIR_PREFIX.length).split('/');
  const stateName = stateNamed(first);
  const state = STATE[stateName];
  const isStock = texts.at(-1) === STOCK;
  if (isStock) texts.pop();
  if (texts.length < 2 || texts.length > NAMES.length) {
    throw new RangeError(`"${name}": expected ${PAIR_PREFIX}STATE/OP.RANGE/OP.RANGE`);
  }
  const sides = texts.map(sideOf);
  const tasks: Record<string, Op[]> = {};
  sides.forEach(({ op, range, isChild }, i) => {
    if (isChild && !state.isShared)
      throw new RangeError(`"${name}": in ${first} there is no child`);
    tasks[NAMES[i]] = TASK_OP[op].ops(rangeOf(range, state), isChild ? 1 : 0, i);
  });
  if (state.monitor) tasks.monitor = [...state.monitor];
  return {
    name,
    comment: `Two operations at the same time: ${state.what}.`,
    machine: {
      pmdOrder: 2,
      pageBytes: 16,
      ...state.machine,
      ...(isStock ? { driver: 'stock' as const } : {}),
    },
    setup: [...state.setup],
    tasks,
    after: afterOf(state, Object.values(tasks).flat()),
  };
}

/** What is looked at when the tasks have ended: what each process reads, page by page. */
function afterOf(state: PreparedState, ops: readonly Op[]): Op[] {
  const has = (name: OpName): boolean => ops.some(({ op }) => op === name);
  const gone = new Set(ops.flatMap(({ op, proc }) => (op === 'exit' ? [proc] : [])));
  const children = ops.flatMap((op) => (op.op === 'fork' ? [op.child] : []));
  const procs = [0, ...(state.isShared ? [1] : []), ...children].filter((proc) => !gone.has(proc));
  const isMoved = has('mremap') || has('mremap_dontunmap');
  const buffers = isMoved ? [0, 1] : [0];
  const isOfFile = state.setup.some((op) => op.op === 'mmap' && op.kind.startsWith('file'));
  const after: Op[] = [];
  if (has('exclusive'))
    after.push({ op: 'check_exclusive', ...BUF, dev: 0, page: 0, pages: state.pages });
  for (const proc of procs) {
    for (const buf of buffers) {
      for (let page = 0; page <= state.pages; page++)
        after.push({ op: 'cpu_read', buf, page, pages: 1, proc });
    }
  }
  if (isOfFile && (has('file_read') || has('file_write')))
    after.push({ op: 'file_read', ...BUF, page: 0, pages: 1 });
  return after;
}

const isMore = (op: PairOpName, state: StateName): boolean =>
  TASK_OP[op].more?.includes(state) ?? false;
const isFor = (op: PairOpName, state: StateName): boolean =>
  !STATE[state].without?.includes(op) &&
  ((TASK_OP[op].states?.includes(state) ?? true) || isMore(op, state));

/** The operations that are for memory in a state. */
export const pairsFor = (state: StateName): PairOpName[] =>
  PAIR_OPS.filter((op) => isFor(op, state));

/** Those of the quick pairs in which a device has a part, with a driver that has the guards of lib/test_hmm.c alone. */
export function stockPairs(): Pair[] {
  const hasDevice = ({ sides }: Pair): boolean =>
    sides.some(({ op }) =>
      TASK_OP[op].ops({ page: 0, pages: 1 }, 0, 0).some((one) => 'dev' in one),
    );
  return quickPairs()
    .filter(hasDevice)
    .map((pair) => ({ ...pair, isStock: true }));
}

/** Which pairs are asked for: of these operations, and of these states; none named: of all. */
export interface PairChoice {
  readonly ops?: readonly PairOpName[];
  readonly states?: readonly StateName[];
}

/** Every pair: of two orders of the same, and of ranges of what takes none, there is one. */
export function allPairs({ ops = [], states = [] }: PairChoice = {}): Pair[] {
  const pairs: Pair[] = [];
  for (const state of states.length > 0 ? states : STATE_NAMES) {
    const own = pairsFor(state);
    const seen = new Set<string>();
    const { isShared } = STATE[state];
    for (const one of own) {
      for (const two of own) {
        if (ops.length > 0 && !ops.includes(one) && !ops.includes(two)) continue;
        if (TASK_OP[one].looks && TASK_OP[two].looks) continue;
        for (const range of TASK_OP[two].isWhole ? (['whole'] as const) : rangesOf(STATE[state])) {
          for (const isChild of isShared && two !== 'exit' ? [false, true] : [false]) {
            if (one === 'exit' && (isChild || two === 'exit')) continue;
            const sides: Side[] = [
              { op: one, range: 'whole', isChild: false },
              { op: two, range, isChild },
            ];
            const key = isChild ? sides.map(sideText).join() : sides.map(sideText).sort().join();
            if (seen.has(key)) continue;
            seen.add(key);
            pairs.push({ state, sides });
          }
        }
      }
    }
  }
  return pairs;
}

/**
 * A part of the pairs in which every operation meets every state that it is for once at least, each time
 * with another operation.
 */
export function quickPairs(): Pair[] {
  return STATE_NAMES.flatMap((state, at) => {
    const all = pairsFor(state);
    const own = all.filter((op) => !isMore(op, state));
    const pairs: Pair[] = [];
    const left = [...own];
    while (left.length > 0) {
      const one = left.shift() as PairOpName;
      const others = left.length > 0 ? left : own;
      // a different one in each state
      const start = (at * 7 + pairs.length * 3) % others.length;
      const two = [...others.slice(start), ...others.slice(0, start)].find((op) => {
        const bothLook = TASK_OP[one].looks && TASK_OP[op].looks;
        return !bothLook && !(one === 'exit' && op === 'exit');
      });
      if (two === undefined) continue;
      const found = left.indexOf(two);
      if (found >= 0) left.splice(found, 1);
      const range = TASK_OP[two].isWhole ? 'whole' : RANGES[(at + pairs.length) % RANGES.length];
      const mayChild = STATE[state].isShared && one !== 'exit' && two !== 'exit';
      const isChild = mayChild === true && pairs.length % 2 === 1;
      pairs.push({
        state,
        sides: [
          { op: one, range: 'whole', isChild: false },
          { op: two, range, isChild },
        ],
      });
    }
    const more = all.filter((op) => isMore(op, state));
    const heads = HEADS.includes(state) ? HEAD_OPS.filter((op) => own.includes(op)) : [];
    const others = own.filter((op) => !TASK_OP[op].looks);
    const add = (op: PairOpName, range: RangeName, i: number): void => {
      const one = others[(at * 7 + i * 5) % others.length];
      pairs.push({
        state,
        sides: [
          { op: one, range: 'whole', isChild: false },
          { op, range, isChild: false },
        ],
      });
    };
    more.forEach((op, i) => {
      add(op, 'whole', i);
    });
    heads.forEach((op, i) => {
      add(op, 'head', i);
    });
    return pairs;
  });
}

/** What changes areas, of which the quick suite has the range `head` too, in some states. */
const HEAD_OPS: readonly PairOpName[] = [
  'munmap',
  'mprotect_r',
  'mremap',
  'mremap_dontunmap',
  'nohugepage',
  'dontfork',
];
const HEADS: readonly StateName[] = ['huge', 'huge-device', 'table'];
