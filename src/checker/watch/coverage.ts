/**
 * What a search came across: which functions and branches ran, which steps on one object were taken in
 * both orders, which kinds of entries each operation met. None of it says that more would find nothing.
 */

import {
  ObjectKind,
  PTE_HUGE,
  PTE_SPECIAL,
  PTE_WRITE,
  ptePresent,
  pteProtnone,
  Role,
  type Step,
  StepKind,
} from '../../machine/index.ts';
import { type Place, ran } from '../../machine/internal.ts';

import type { Kernel } from '../../mm/index.ts';
import {
  isDeviceExclusive,
  isDevicePrivate,
  isDevicePrivateWrite,
  isMigration,
  isMigrationReadExclusive,
  isMigrationWrite,
  pmdIsTable,
} from '../../mm/internal.ts';

import { conflict } from '../conflict.ts';
import { KINDS, OBJECT_WORDS } from '../step-words.ts';

/** What one search came across, as JSON. */
export interface CoverageData {
  /** By number: the places that ran. */
  ran: number[];
  /** Two steps on one object, by two tasks, the first one first. */
  pairs: [first: string, second: string][];
  /** Kinds of page-table entries that an operation read or wrote. */
  entries: [operation: string, kind: string][];
  /** As bits: the tasks that touched an object, locks aside, that another one touched, and one of the two wrote. */
  meets: number;
  /** Why results were taken for right that no order of the operations gives. */
  reasons: string[];
}

/** What an entry can be, for those who look at one. */
export const ENTRY_KINDS = [
  'none',
  'table',
  'present, read-only',
  'present, writable',
  'PROT_NONE',
  'zero page',
  'device-private, read-only',
  'device-private, writable',
  'device-exclusive',
  'migration, read',
  'migration, read exclusive',
  'migration, write',
  'huge, read-only',
  'huge, writable',
  'huge, PROT_NONE',
  'huge zero page',
  'huge, not present',
  'huge device-private, read-only',
  'huge device-private, writable',
  'huge migration, read',
  'huge migration, read exclusive',
  'huge migration, write',
] as const;
export type EntryKind = (typeof ENTRY_KINDS)[number];

const NUMBER = new Map<EntryKind, number>(ENTRY_KINDS.map((kind, i) => [kind, i]));
const kindNumber = (kind: EntryKind): number => NUMBER.get(kind) ?? 0;

/** By number, so that looking at an entry costs no more than it must. */
const [PRESENT, EXCLUSIVE, PRIVATE, MIGRATION, HUGE, HUGE_PRIVATE, HUGE_MIGRATION] = [
  kindNumber('present, read-only'),
  kindNumber('device-exclusive'),
  kindNumber('device-private, read-only'),
  kindNumber('migration, read'),
  kindNumber('huge, read-only'),
  kindNumber('huge device-private, read-only'),
  kindNumber('huge migration, read'),
];
const [PROTNONE, ZERO, HUGE_PROTNONE, HUGE_ZERO, HUGE_INVALID] = [
  kindNumber('PROT_NONE'),
  kindNumber('zero page'),
  kindNumber('huge, PROT_NONE'),
  kindNumber('huge zero page'),
  kindNumber('huge, not present'),
];

function migrationOf(pte: number): number {
  return isMigrationWrite(pte) ? 2 : isMigrationReadExclusive(pte) ? 1 : 0;
}

/** The kind of a PTE, by its number. */
function kindOfPte(pte: number): number {
  if (pte === 0) return 0;
  if (ptePresent(pte)) {
    if (pte & PTE_SPECIAL) return ZERO;
    if (pteProtnone(pte)) return PROTNONE;
    return PRESENT + (pte & PTE_WRITE ? 1 : 0);
  }
  if (isMigration(pte)) return MIGRATION + migrationOf(pte);
  if (isDevicePrivate(pte)) return PRIVATE + (isDevicePrivateWrite(pte) ? 1 : 0);
  return isDeviceExclusive(pte) ? EXCLUSIVE : 0;
}

/** The kind of an entry of a PMD table, by its number. */
function kindOfPmd(pmd: number): number {
  if (pmd === 0) return 0;
  if (pmdIsTable(pmd)) return 1;
  if (pmd & PTE_HUGE) {
    if (pmd & PTE_SPECIAL) return HUGE_ZERO;
    if (pteProtnone(pmd)) return HUGE_PROTNONE;
    return ptePresent(pmd) ? HUGE + (pmd & PTE_WRITE ? 1 : 0) : HUGE_INVALID;
  }
  if (isMigration(pmd)) return HUGE_MIGRATION + migrationOf(pmd);
  return isDevicePrivate(pmd) ? HUGE_PRIVATE + (isDevicePrivateWrite(pmd) ? 1 : 0) : HUGE_INVALID;
}

const STEP_KINDS = Object.keys(KINDS).length;
const SPACE_COUNT = Object.keys(OBJECT_WORDS).length;
/** Roles whose order says nothing: who gives back had taken before. */
const GIVES = (1 << Role.Release) | (1 << Role.ReleaseShared);
/** Who takes the same lock and nothing else of what it guards does nothing to another. */
const LOCKS = new Set<number>([ObjectKind.Lock, ObjectKind.FolioLock]);
const MOST_LABELS = 2048;

/** An object's last step of each task: `1 + label * 8 + role`; then the schedule's number. */
type Lasts = Int32Array;

export class Coverage {
  private readonly words: string[] = [];
  private readonly numbers = new Map<string, number>();
  private readonly met: Uint8Array[] = [];
  /** By kind of object and number. */
  private readonly lasts: Map<number, Lasts>[] = Object.keys(OBJECT_WORDS).map(() => new Map());
  /** The operation that was asked for last, and its number. */
  private lastWord: string | null = null;
  private lastNumber = 0;
  private readonly pairs = new Set<number>();
  private meets = 0;
  private schedule = 0;

  constructor(
    private readonly k: Kernel,
    private readonly tasks: number,
    /** How many of the first of them are the scenario's own, and not the hardware's. */
    private readonly own = tasks,
  ) {}

  /** From here on counts what runs. */
  begin(): void {
    ran.fill(0);
  }

  /** Before each schedule. */
  reset(): void {
    this.schedule++;
  }

  private doing(word: string): number {
    if (word === this.lastWord) return this.lastNumber;
    this.lastWord = word;
    this.lastNumber = this.numberOf(word);
    return this.lastNumber;
  }

  private numberOf(word: string): number {
    let n = this.numbers.get(word);
    if (n === undefined) {
      n = this.words.length;
      this.words.push(word);
      this.numbers.set(word, n);
      this.met.push(new Uint8Array(ENTRY_KINDS.length));
    }
    return n;
  }

  /** The current task reads or writes an entry. */
  entry(ptep: number): void {
    const { k } = this;
    if (!k.stepping) return;
    const { tables } = k;
    const pte = tables.entries[ptep];
    const kind = tables.isLowest(tables.tableOf(ptep)) ? kindOfPte(pte) : kindOfPmd(pte);
    this.met[this.doing(k.current.doing)][kind] = 1;
  }

  /** A task takes a step. */
  step(task: number, doing: string, step: Step): void {
    const label = Math.min(this.doing(doing) * STEP_KINDS + step.kind, MOST_LABELS - 1);
    const { tasks, schedule } = this;
    for (let i = 0; i < step.count; i++) {
      const role = step.roles[i];
      const space = step.objects[i];
      const own = this.lasts[space];
      let lasts = own.get(step.ids[i]);
      if (lasts === undefined) {
        lasts = new Int32Array(tasks + 1);
        own.set(step.ids[i], lasts);
      }
      if (lasts[tasks] !== schedule) {
        lasts.fill(0);
        lasts[tasks] = schedule;
      } else if (((1 << role) & GIVES) === 0) {
        for (let q = 0; q < tasks; q++) {
          const last = lasts[q];
          if (q === task || last === 0 || !conflict(((last - 1) & 7) as Role, role)) continue;
          if (q < this.own && task < this.own && !LOCKS.has(space))
            this.meets |= (1 << q) | (1 << task);
          this.pairs.add((((last - 1) >> 3) * MOST_LABELS + label) * SPACE_COUNT + space);
        }
      }
      if (((1 << role) & GIVES) === 0) lasts[task] = 1 + label * 8 + role;
    }
  }

  private wordsOf(label: number, space: number): string {
    const kind = (label % STEP_KINDS) as StepKind;
    const verb = kind === StepKind.Folio ? 'change' : KINDS[kind];
    const object = OBJECT_WORDS[space as keyof typeof OBJECT_WORDS];
    return `${this.words[Math.floor(label / STEP_KINDS)]}: ${verb} ${object}`;
  }

  /** What was come across so far. */
  data(): CoverageData {
    const places: number[] = [];
    for (let i = 0; i < ran.length; i++) if (ran[i] === 1) places.push(i);
    const pairs = [...this.pairs].map((pair): [string, string] => {
      const space = pair % SPACE_COUNT;
      const labels = (pair - space) / SPACE_COUNT;
      const second = labels % MOST_LABELS;
      return [this.wordsOf((labels - second) / MOST_LABELS, space), this.wordsOf(second, space)];
    });
    const entries = this.met.flatMap((kinds, i) =>
      ENTRY_KINDS.filter((_, kind) => kinds[kind] === 1).map((kind): [string, string] => [
        this.words[i],
        kind,
      ]),
    );
    return { ran: places, pairs, entries, meets: this.meets, reasons: [] };
  }
}

/** Each pair and each entry once. */
export function distinctCoverage(coverage: CoverageData): CoverageData {
  const { ran, pairs, entries, meets, reasons } = coverage;
  const once = (list: [string, string][]): [string, string][] => [
    ...new Map(list.map((item) => [item.join('\n'), item])).values(),
  ];
  return {
    ran,
    pairs: once(pairs),
    entries: once(entries),
    meets,
    reasons: [...new Set(reasons)],
  };
}

/** How often each name comes, by name. */
function countedNames(names: readonly string[]): Record<string, number> {
  const counts = new Map<string, number>();
  for (const name of names) counts.set(name, (counts.get(name) ?? 0) + 1);
  return Object.fromEntries([...counts].sort(([a], [b]) => (a < b ? -1 : 1)));
}

/** Of the functions or branches that there are: how many ran, and which did not. */
export interface Reached {
  ran: number;
  of: number;
  /** `file:line function`. */
  missed: string[];
}

/** A function, and how many searches entered it. */
export interface Entered {
  function: string;
  searches: number;
}

/** What several searches came across. */
export interface CoverageSummary {
  functions: Reached;
  branches: Reached;
  /** Pairs of steps on one object by two tasks. */
  pairs: { seen: number; bothOrders: number; oneOrder: string[] };
  /** By operation: the kinds of entries that it read or wrote. */
  entries: Record<string, string[]>;
  /** Every function that there is, those that fewest searches entered first. */
  entered: Entered[];
  /** Why results were taken for right that no order of the operations gives: in how many searches. */
  reasons: Record<string, number>;
}

/** Where a walk that was not tried lives, nothing runs. */
const AS_POSTED = '/as-posted/';

/**
 * Puts together what several searches came across.
 * @param places that can run: of `placesThatRun()`
 */
export function summarizeCoverage(
  all: readonly CoverageData[],
  places: readonly Place[],
  { asPosted = false } = {},
): CoverageSummary {
  const seen = new Set(all.flatMap(({ ran }) => ran));
  const reached = (what: Place['what']): Reached => {
    const result: Reached = { ran: 0, of: 0, missed: [] };
    places.forEach((place, i) => {
      if (place.what !== what || (!asPosted && place.file.includes(AS_POSTED))) return;
      result.of++;
      if (seen.has(i)) result.ran++;
      else result.missed.push(`${place.file}:${place.line} ${place.function}`);
    });
    return result;
  };
  const times = new Map<number, number>();
  for (const one of all) for (const i of one.ran) times.set(i, (times.get(i) ?? 0) + 1);
  const entered = places.flatMap(({ what, file, line, function: name }, i): Entered[] =>
    what !== 'function' || (!asPosted && file.includes(AS_POSTED))
      ? []
      : [{ function: `${file}:${line} ${name}`, searches: times.get(i) ?? 0 }],
  );
  const orders = new Map<string, Set<boolean>>();
  for (const [first, second] of all.flatMap(({ pairs }) => pairs)) {
    const inOrder = first <= second;
    const pair = inOrder ? `${first} / ${second}` : `${second} / ${first}`;
    const known = orders.get(pair) ?? new Set();
    known.add(inOrder);
    // a step and its like: one order is the other
    if (first === second) known.add(!inOrder);
    orders.set(pair, known);
  }
  const oneOrder = [...orders]
    .filter(([, known]) => known.size === 1)
    .map(([pair, known]) => {
      const [a, b] = pair.split(' / ');
      return known.has(true) ? `${a} before ${b}` : `${b} before ${a}`;
    });
  const entries = new Map<string, Set<string>>();
  for (const [operation, kind] of all.flatMap((one) => one.entries)) {
    const kinds = entries.get(operation) ?? new Set();
    entries.set(operation, kinds.add(kind));
  }
  return {
    functions: reached('function'),
    branches: reached('branch'),
    pairs: {
      seen: orders.size,
      bothOrders: orders.size - oneOrder.length,
      oneOrder: oneOrder.sort(),
    },
    entries: Object.fromEntries(
      [...entries]
        .sort(([a], [b]) => (a < b ? -1 : 1))
        .map(([operation, kinds]) => [operation, ENTRY_KINDS.filter((kind) => kinds.has(kind))]),
    ),
    entered: entered.sort((a, b) => a.searches - b.searches),
    reasons: countedNames(all.flatMap(({ reasons }) => reasons)),
  };
}
