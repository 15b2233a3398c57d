/** Steps and what they touch, in words that name places and not numbers. */
import { HUGE_POOL, ObjectKind, Role, StepKind } from '../machine/index.ts';
import { folioLockWords, type Item, type StateView } from './items.ts';
import type { RecordedStep, Touched } from './recorded.ts';

/** What a step does, before the name of what it is about. */
const VERBS: Record<StepKind, string> = {
  [StepKind.Acquire]: 'takes',
  [StepKind.TryAcquire]: 'tries to take',
  [StepKind.Release]: 'gives back',
  [StepKind.ReadEntry]: 'reads',
  [StepKind.WriteEntry]: 'writes',
  [StepKind.Folio]: 'changes',
  [StepKind.TlbFill]: 'walks to',
  [StepKind.TlbFlush]: 'flushes',
  [StepKind.CpuAccess]: 'reaches memory through',
  [StepKind.DeviceAccess]: 'reaches memory through',
  [StepKind.Copy]: 'copies to',
  [StepKind.Allocate]: 'allocates',
  [StepKind.Wait]: 'waits for',
  [StepKind.Shared]: 'uses',
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

/** The entry of a table. */
function entryName(view: StateView, ptep: number): { name: string; key: string } {
  const leaf = view.entries.find((entry) => entry.ptep === ptep);
  if (leaf) return leaf;
  const table = view.tables.find(({ first, slots }) => ptep >= first && ptep < first + slots);
  if (!table) return { name: `entry ${ptep} of a table that is free`, key: '' };
  const { level, first, key } = table;
  return { name: `entry ${ptep - first} of ${level} table ${table.table}`, key };
}

/** What an object is called at a moment, and the key of its item there, if it has one. */
export function nameOf(
  { object, id }: Pick<Touched, 'object' | 'id'>,
  view: StateView,
  lockNames: ReadonlyMap<number, string> = new Map(),
): { name: string; key: string } {
  const keyed = (key: string, list: readonly Item[], otherwise: string) => {
    const item = list.find((one) => one.key === key);
    return { name: item?.name ?? otherwise, key: item ? key : '' };
  };
  switch (object) {
    case ObjectKind.Lock:
      return keyed(`lock ${id}`, view.locks, lockNames.get(id) ?? `the lock of page table ${id}`);
    case ObjectKind.Entry:
      return entryName(view, id);
    case ObjectKind.Folio:
      return { ...keyed(`frame ${id}`, view.frames, ''), name: `folio ${id}` };
    case ObjectKind.FolioLock:
      return { ...keyed(`frame ${id}`, view.frames, ''), name: folioLockWords(id) };
    case ObjectKind.Frame:
      return { ...keyed(`frame ${id}`, view.frames, ''), name: `the bytes of page ${id}` };
    case ObjectKind.Tlb:
      return { ...keyed(`space ${id}`, view.spaces, ''), name: `the TLBs of address space ${id}` };
    case ObjectKind.DeviceFrame:
      return { name: 'device memory', key: '' };
    case ObjectKind.Allocator:
      return { name: id === HUGE_POOL ? 'the pool of huge pages' : 'a page', key: '' };
    case ObjectKind.Sequence:
      return { name: 'the notifier sequence', key: '' };
    case ObjectKind.DeviceEntry:
      return { name: 'the device’s page table', key: '' };
    case ObjectKind.File:
      return { name: `the open file of device ${id}`, key: '' };
    case ObjectKind.Batch:
      return { name: `the LRU batches of CPU ${id}`, key: '' };
    case ObjectKind.Cache:
      return { name: 'the page cache', key: '' };
    case ObjectKind.Userfault:
      return { name: 'the missing faults of a userfaultfd', key: '' };
    case ObjectKind.Pagemap:
      return { name: 'the references on a range of device memory', key: '' };
    case ObjectKind.Mm:
      return { name: 'flags of the address space', key: '' };
    default:
      return { name: 'what the program keeps', key: '' };
  }
}

/**
 * A step in words.
 * @param view of the moment before it
 */
export function stepWords(
  step: RecordedStep,
  view: StateView,
  lockNames?: ReadonlyMap<number, string>,
): string {
  const [first] = step.objects;
  if (!first) return 'goes on';
  if (step.failed) return 'fails to allocate a page';
  const reads = step.kind === StepKind.Folio && first.role === Role.Read;
  const verb = reads ? 'looks at' : VERBS[step.kind];
  return `${verb} ${nameOf(first, view, lockNames).name}`;
}
