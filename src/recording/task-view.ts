/** A task as it is now: its operation, what it holds and what it waits for. */
import type { Execution } from '../checker/index.ts';
import { ObjectKind, Role } from '../machine/index.ts';
import { folioLockWords, lockWords, systemOf } from '../program/internal.ts';
import type { TaskView } from './recorded.ts';

/** How many operations a task has come to the end of. */
export function operationOf({ state }: Execution, name: string): number {
  const { results } = state as { results?: Record<string, unknown[]> };
  return results?.[name]?.length ?? 0;
}

/** What somebody waits for at a userfaultfd: the monitor that reads from it, or whoever faulted. */
function userfaultWords(role: Role): string {
  return role === Role.Read ? 'the monitor of a userfaultfd' : 'a missing fault';
}

export function taskView(x: Execution, index: number): TaskView {
  const { task, done } = x.running[index];
  const { pages } = x.kernel;
  const system = systemOf(x);
  const step = task.pending;
  const waiting = !done && step.enabled !== null && !step.enabled();
  let waits: TaskView['waits'] = null;
  if (waiting) {
    const on = { object: step.object, id: step.id, role: step.roles[0] };
    const others = x.running.map((running) => running.task);
    let what = 'a condition';
    let holders: string[] = [];
    if (on.object === ObjectKind.Lock) {
      const lock = others.flatMap(({ held }) => held).find(({ id }) => id === on.id);
      what = lock ? lockWords(lock, system) : `lock ${on.id}`;
      holders = others.filter(({ held }) => held.some(({ id }) => id === on.id)).map((t) => t.name);
    } else if (on.object === ObjectKind.FolioLock) {
      what = folioLockWords(on.id);
      holders = others.filter(({ id }) => id === pages.lockOwner[on.id]).map((t) => t.name);
    } else if (on.object === ObjectKind.Sequence) what = 'an invalidation to end';
    else if (on.object === ObjectKind.Userfault) what = userfaultWords(on.role);
    else if (on.object === ObjectKind.Pagemap) what = 'the last page of a range of device memory';
    waits = { on, what, holders };
  }
  const holds = task.held.map((lock) => lockWords(lock, system));
  for (let pfn = 0; task.folioLocks > 0 && pfn < pages.size; pfn++) {
    if (pages.lockOwner[pfn] === task.id && pages.head[pfn] === pfn)
      holds.push(folioLockWords(pfn));
  }
  const op = operationOf(x, task.name);
  return { name: task.name, cpu: task.cpu, op, done, waits, holds: [...new Set(holds)] };
}
