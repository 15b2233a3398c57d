/** The walks over page tables in a recording: which there were, in which functions, and what each did. */

import { hmmRangeFault, migrateVmaCollect } from '../hmm/index.ts';

import { handleMmFault } from '../mm/index.ts';
import { MIGRATION_ENTRIES } from './recorded.ts';
import { functionSpans, type Recording } from './recording.ts';

/** One walk over a range of a page table. */
export interface WalkView {
  readonly task: number;
  /** Index of the task's operation. */
  readonly op: number;
  /** First step of it. */
  readonly from: number;
  /** First step after it. */
  readonly to: number;
  /** The modelled function that walks. */
  readonly name: string;
  /** How many walks are around it: a fault in one may need a walk of its own. */
  readonly depth: number;
  /** Entries that it looked at, pages that it faulted in and entries that it made migration entries. */
  readonly entries: number;
  readonly faults: number;
  readonly migrationEntries: number;
}

type Walking = { -readonly [K in keyof WalkView]: WalkView[K] };

/** What counts its walks. */
const WALKERS = new Set([hmmRangeFault.name, migrateVmaCollect.name]);
const FAULT = handleMmFault.name;

/** The walks of one task, those around others first. */
function walksOfTask(recording: Recording, task: number): Walking[] {
  const { steps, length, events } = recording;
  const spans = functionSpans(recording, task).filter(({ name }) => WALKERS.has(name));
  const walks: Walking[] = [];
  const open: Walking[] = [];
  let span = 0;
  for (const { at, task: by, kind } of events) {
    if (by !== task || kind !== 'walk') continue;
    let from = at + 1;
    while (from < length && recording.taskAt(from) !== task) from++;
    // the innermost one: spans come by their first step, inner ones later
    while (span + 1 < spans.length && spans[span + 1].from <= from) span++;
    let inner = span;
    while (inner >= 0 && spans[inner] && spans[inner].to <= from) inner--;
    const of = spans[inner];
    const [name, to] = of && of.from <= from ? [of.name, of.to] : ['', from];
    while (open.length > 0 && (open.at(-1) as Walking).to <= from) open.pop();
    // one function, called again at once: where the next begins the last has ended
    const last = open.at(-1);
    if (last && last.to === to && last.name === name) {
      last.to = from;
      open.pop();
    }
    const op = steps.ops[at];
    const counts = { entries: 0, faults: 0, migrationEntries: 0 };
    const walk = {
      task,
      op,
      from: Math.min(from, length),
      to,
      name,
      depth: open.length,
      ...counts,
    };
    open.push(walk);
    walks.push(walk);
  }
  return walks;
}

/** Adds what a counter counted to the innermost walk that did it. */
function share(
  recording: Recording,
  walks: readonly Walking[],
  counter: string,
  to: 'entries' | 'faults' | 'migrationEntries',
): void {
  const counted = recording.counted.get(counter);
  if (!counted) return;
  const { steps } = recording;
  const open: Walking[] = [];
  let next = 0;
  counted.at.forEach((at, i) => {
    // a walk may count before its first step
    while (next < walks.length && walks[next].from <= at + 1) open.push(walks[next++]);
    const task = recording.taskAt(at);
    for (let n = open.length - 1; n >= 0; n--) if (open[n].to <= at) open.splice(n, 1);
    const walk = open.findLast((one) => one.task === task);
    if (!walk) return;
    if (to !== 'faults') {
      // what a fault does meanwhile is not the walk's
      const stack = steps.stacks[steps.stackOf[at]];
      if (stack.find((name) => WALKERS.has(name) || name === FAULT) === FAULT) return;
    }
    walk[to] += counted.value[i] - (i === 0 ? counted.start : counted.value[i - 1]);
  });
}

/** Every walk of a recording, by its first step. */
export function walksOf(recording: Recording): WalkView[] {
  const walks = recording.tasks.flatMap((_, task) => walksOfTask(recording, task));
  walks.sort((a, b) => a.from - b.from || a.depth - b.depth);
  share(recording, walks, 'entriesVisited', 'entries');
  share(recording, walks, 'faults', 'faults');
  share(recording, walks, MIGRATION_ENTRIES, 'migrationEntries');
  return walks;
}
