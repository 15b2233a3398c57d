/**
 * Steps and what they touch, in words that name places and not numbers: in a sentence, for whoever has room
 * for one (`the entry of buffer 0 page 16`), and short, for columns (`pte buf0:16`).
 */
import { HUGE_POOL, OWN_LOCKS } from '../../machine/objects.ts';
import { ObjectKind, Role, StepKind } from '../../machine/step.ts';
import type { EntryItem, FrameItem, StateView, TableItem, Touched } from './items.ts';

/** What an object is called, and the key of its item, if it has one. */
export interface ObjectName {
  readonly name: string;
  readonly short: string;
  readonly key: string;
}

/** A step, as far as it says what it does. */
export interface StepDone {
  readonly kind: StepKind;
  /** The first is what the step is about. */
  readonly objects: readonly Touched[];
  /** The allocation was made to fail, or a lock was let go first. */
  readonly failed: boolean;
}

/** What a step does, before the name of what it is about; and the same in a column. */
const VERBS: Record<StepKind, readonly [sentence: string, short: string]> = {
  [StepKind.Acquire]: ['takes', 'lock'],
  [StepKind.TryAcquire]: ['tries to take', 'trylock'],
  [StepKind.Release]: ['gives back', 'unlock'],
  [StepKind.ReadEntry]: ['reads', 'read'],
  [StepKind.WriteEntry]: ['writes', 'write'],
  [StepKind.Folio]: ['changes', 'change'],
  [StepKind.TlbFill]: ['walks to', 'fill'],
  [StepKind.TlbFlush]: ['flushes', 'flush'],
  [StepKind.CpuAccess]: ['reaches memory through', 'access by'],
  [StepKind.DeviceAccess]: ['reaches memory through', 'access by'],
  [StepKind.Copy]: ['copies to', 'copy to'],
  [StepKind.Allocate]: ['allocates', 'allocate'],
  [StepKind.Wait]: ['waits for', 'wait for'],
  [StepKind.Shared]: ['uses', 'use'],
};

const ROLES: Record<Role, string> = {
  [Role.Read]: 'reads',
  [Role.Write]: 'writes',
  [Role.Commute]: 'updates',
  [Role.Acquire]: 'takes',
  [Role.AcquireShared]: 'takes, shared',
  [Role.TryAcquire]: 'tries to take',
  [Role.Release]: 'gives back',
  [Role.ReleaseShared]: 'gives back, shared',
};

/** What a step does with one of its objects, in a word or two. */
export function roleWords(role: Role): string {
  return ROLES[role];
}

/** A page's place as short as it goes: `buf0:16`. */
export const shortPlace = (place: string): string =>
  place.replace(/\bbuffer (\d+) page (\d+)/g, 'buf$1:$2');

const plain = (name: string, short = name.replace(/^the /, ''), key = ''): ObjectName => ({
  name,
  short,
  key,
});

/** Names what is in a view, and what is not there any more by what was. */
class Names {
  constructor(
    private readonly view: StateView,
    private readonly lockNames: ReadonlyMap<number, string>,
  ) {}

  /** A page of an address space, and that of which process: of process 0, as most are, without saying so. */
  private at(place: string, space: number): string {
    const proc = this.view.spaces.find((one) => one.space === space)?.proc ?? 0;
    return `${place}${proc > 0 ? ` of process ${proc}` : ''}`;
  }

  /** What a page of an address space is called in a column. */
  private short(place: string, space: number): string {
    return this.at(shortPlace(place), space);
  }

  private space(id: number): string {
    const space = this.view.spaces.find((one) => one.space === id);
    return space ? space.name : 'a process that is gone';
  }

  private leaf(entry: EntryItem): ObjectName {
    const what = entry.pages > 1 ? 'pmd' : 'pte';
    return plain(entry.name, `${what} ${this.short(entry.place, entry.space)}`, entry.key);
  }

  /** Where an entry of a table is, that points to a table or is empty. */
  private place(table: TableItem, at: number): string {
    const vpn = table.start + at * table.cover;
    const area = this.view.areas.find(
      ({ space, start, end }) => space === table.space && vpn < end && vpn + table.cover > start,
    );
    // what covers many pages is named after those that a reader knows
    const from = area ?? table;
    const on = area ? Math.max(vpn, area.start) - area.start : at * table.cover;
    return from.place.replace(/\d+$/, (page) => String(Number(page) + on));
  }

  private entry(ptep: number): ObjectName {
    const { entries, tables } = this.view;
    const leaf = entries.find((entry) => entry.ptep === ptep);
    if (leaf) return this.leaf(leaf);
    const table = tables.find(({ first, slots }) => ptep >= first && ptep < first + slots);
    if (!table) return plain('an entry of a table that no other leads to', 'entry of a lone table');
    const { level, key, space } = table;
    const place = this.place(table, ptep - table.first);
    return plain(
      `the ${level === 'PTE' ? 'empty' : level} entry of ${this.at(place, space)}`,
      `${level.toLowerCase()} ${this.short(place, space)}`,
      key,
    );
  }

  /** Where a page of memory is: the first page of an address space that leads there, and its memory. */
  private where(frame: FrameItem | undefined, pfn: number): [sentence: string, short: string] {
    const { entries, deviceEntries } = this.view;
    const size = 1 << (frame?.order ?? 0);
    const leads = (entry: { pfn: number; pages?: number }): boolean =>
      entry.pfn < pfn + size && entry.pfn + (entry.pages ?? 1) > pfn;
    const found =
      entries.find((entry) => entry.kind !== 'unknown' && leads(entry)) ??
      deviceEntries.find(leads);
    const device = typeof frame?.memory === 'number' ? frame.memory : null;
    // a driver's own device has no number
    const on = device === null ? '' : device < 0 ? ', on a device' : `, on device ${device}`;
    const short = device === null ? '' : device < 0 ? ' device' : ` dev${device}`;
    if (!frame) return [', which is free', ' (free)'];
    if (frame.kind === 'zero page') return [' (the zero page)', ' (zero page)'];
    if (!found) return [on, short && ` (${short.trim()})`];
    const space =
      'space' in found
        ? found.space
        : (this.view.notifiers.find(({ mirror }) => mirror === found.mirror)?.space ?? 0);
    return [
      ` of ${this.at(found.place, space)}${on}`,
      ` (${this.short(found.place, space)}${short})`,
    ];
  }

  /** A folio or a page: its number is its frame's (PFN), as a kernel prints it. */
  private memory(what: string, word: string, pfn: number): ObjectName {
    const key = `frame ${pfn}`;
    const frame = this.view.frames.find((item) => item.key === key);
    const [where, short] = this.where(frame, pfn);
    return plain(`${what} ${pfn}${where}`, `${word} ${pfn}${short}`, frame ? key : '');
  }

  private lock(id: number): ObjectName {
    const held = this.view.locks.find((lock) => lock.id === id);
    const name = held?.name ?? this.lockNames.get(id);
    const key = held?.key ?? '';
    if (id >= OWN_LOCKS) {
      const known = name ?? 'a lock';
      return plain(known, known.replace(/^the (lock of )?/, '').replace(' of process 0', ''), key);
    }
    const table = this.view.tables.find((one) => one.table === id);
    if (!table) return plain('the lock of a page table that no other leads to', 'ptl', key);
    const { level, space } = table;
    const place = this.place(table, 0);
    const above = level === 'PTE' ? '' : `${level.toLowerCase()} `;
    return plain(
      `the ${above}page table lock of ${this.at(place, space)}`,
      `${above}ptl ${this.short(place, space)}`,
      key,
    );
  }

  private sequence(id: number): ObjectName {
    const space = this.view.spaces.find(({ sequenceId }) => sequenceId === id);
    if (space) {
      const name = `the notifier sequence of ${space.name}`;
      return plain(name, name.slice(4).replace(' of process 0', ''), space.key);
    }
    const notifier = this.view.notifiers.find(({ sequenceId }) => sequenceId === id);
    if (!notifier) return plain('the sequence of a notifier', 'notifier seq');
    return plain(`the sequence of ${notifier.name}`, `seq dev${notifier.device}`, notifier.key);
  }

  private deviceTable(id: number): ObjectName {
    const notifier = this.view.notifiers.find(({ tableId }) => tableId === id);
    if (!notifier) return plain('a device’s page table', 'device page table');
    const { device, space } = notifier;
    const of = this.at('', space);
    return plain(`the page table of device ${device}${of}`, `dev${device} page table${of}`);
  }

  name({ object, id }: Pick<Touched, 'object' | 'id'>): ObjectName {
    switch (object) {
      case ObjectKind.Lock:
        return this.lock(id);
      case ObjectKind.Entry:
        return this.entry(id);
      case ObjectKind.Folio:
        return this.memory('folio', 'folio', id);
      case ObjectKind.FolioLock: {
        const { name, short, key } = this.memory('folio', 'folio', id);
        return plain(name.replace('folio', 'the lock of folio'), short, key);
      }
      case ObjectKind.Frame:
        return this.memory('the bytes of page', 'page', id);
      case ObjectKind.Tlb: {
        const space = this.view.spaces.find((one) => one.space === id);
        const of = this.space(id);
        return plain(`the TLBs of ${of}`, `TLBs of ${of}`, space?.key);
      }
      case ObjectKind.DeviceFrame:
        return plain('device memory');
      case ObjectKind.Allocator:
        return id === HUGE_POOL ? plain('the pool of huge pages') : plain('a page', 'a page');
      case ObjectKind.Sequence:
        return this.sequence(id);
      case ObjectKind.DeviceEntry:
        return this.deviceTable(id);
      case ObjectKind.File: {
        const notifier = this.view.notifiers.find(({ mirror }) => mirror === id);
        return notifier
          ? plain(`the open file of device ${notifier.device}`)
          : plain('the open file of a device');
      }
      case ObjectKind.Batch:
        return plain(`the LRU batches of CPU ${id}`);
      case ObjectKind.Cache:
        return plain('the page cache');
      case ObjectKind.Userfault:
        return plain('the missing faults of a userfaultfd', 'faults of a userfaultfd');
      case ObjectKind.Pagemap:
        return plain('the references on a range of device memory', 'dev_pagemap refs');
      case ObjectKind.Mm:
        return plain('flags of the address space', 'mm flags');
      default:
        return plain('what the program keeps', 'pins');
    }
  }
}

/** What an object is called at a moment. */
export function nameOf(
  touched: Pick<Touched, 'object' | 'id'>,
  view: StateView,
  lockNames: ReadonlyMap<number, string> = new Map(),
): ObjectName {
  return new Names(view, lockNames).name(touched);
}

/** The verb of a step: what a folio's or a shared state's step does is told by its role. */
function verbOf({
  kind,
  objects: [{ role }],
}: StepDone): readonly [sentence: string, short: string] {
  const reads = role === Role.Read;
  if (kind === StepKind.Folio && reads) return ['looks at', 'read'];
  if (kind === StepKind.Shared && reads) return ['looks at', 'read'];
  if (kind === StepKind.Shared && role === Role.Write) return ['changes', 'change'];
  return VERBS[kind];
}

/**
 * A step in words.
 * @param view of the moment before it
 */
export function stepWords(
  step: StepDone,
  view: StateView,
  lockNames?: ReadonlyMap<number, string>,
): string {
  const [first] = step.objects;
  if (!first) return 'goes on';
  if (step.failed)
    return step.kind === StepKind.Allocate ? 'fails to allocate a page' : 'lets others in first';
  return `${verbOf(step)[0]} ${nameOf(first, view, lockNames).name}`;
}

/** The same for a column: what a reader is to do in thought, such as `read pte buf0:16`. */
export function shortStepWords(
  step: StepDone,
  view: StateView,
  lockNames?: ReadonlyMap<number, string>,
): string {
  const [first] = step.objects;
  if (!first) return 'go on';
  if (step.failed)
    return step.kind === StepKind.Allocate ? 'fail to allocate a page' : 'let others in';
  return `${verbOf(step)[1]} ${nameOf(first, view, lockNames).short}`;
}
