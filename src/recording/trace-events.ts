/**
 * A recording in the Trace Event Format, which Perfetto and Chromium's tracing page open: a thread a task
 * with its operations and functions as slices, locks on tracks of their own, events as marks, counters as
 * curves. A step takes a microsecond.
 */
import type { Span } from './recorded.ts';
import { functionSpans, type Recording } from './recording.ts';

/** An event of the format; `ts` in microseconds. */
export interface TraceEvent {
  readonly name: string;
  readonly cat?: string;
  /** Begin, end, instant, counter, metadata. */
  readonly ph: 'B' | 'E' | 'i' | 'C' | 'M';
  readonly ts: number;
  readonly pid: number;
  readonly tid: number;
  /** Of an instant: it is its thread's. */
  readonly s?: 't';
  readonly args?: Readonly<Record<string, unknown>>;
}

export interface TraceFile {
  readonly traceEvents: readonly TraceEvent[];
  readonly displayTimeUnit: 'ns';
  readonly otherData: Readonly<Record<string, string>>;
}

/** The processes of the trace: groups of tracks. */
const GROUPS = ['tasks', 'locks held', 'waiting', 'counters'] as const;
const [TASKS, HELD, WAITING, COUNTERS] = GROUPS.map((_, i) => i + 1);

interface Slice extends Pick<Span, 'from' | 'to' | 'name' | 'depth'> {
  readonly cat: string;
  readonly args?: TraceEvent['args'];
}

/** Slices of one track, outer ones before inner ones, as pairs of begin and end. */
function slices(track: { pid: number; tid: number }, list: readonly Slice[]): TraceEvent[] {
  const out: TraceEvent[] = [];
  const open: Slice[] = [];
  const close = (depth: number): void => {
    while (open.length > 0 && (open.at(-1) as Slice).depth >= depth) {
      const { name, cat, to } = open.pop() as Slice;
      out.push({ name, cat, ph: 'E', ts: to, ...track });
    }
  };
  for (const slice of list) {
    close(slice.depth);
    const { name, cat, from, args } = slice;
    out.push({ name, cat, ph: 'B', ts: from, ...track, ...(args ? { args } : {}) });
    open.push(slice);
  }
  close(0);
  return out;
}

/** The operations of a task, each from its first step to its last, and the functions in them. */
function taskSlices(recording: Recording, task: number): Slice[] {
  const { steps, length, operations } = recording;
  const ops: (Slice & { to: number })[] = [];
  let current = -1;
  for (let at = 0; at < length; at++) {
    if (recording.taskAt(at) !== task) continue;
    const op = operations[task][steps.ops[at]];
    if (steps.ops[at] !== current && op) {
      const args = { ...op };
      ops.push({ name: op.op, cat: 'operation', from: at, to: at + 1, depth: 0, args });
    } else if (op) (ops.at(-1) as { to: number }).to = at + 1;
    current = steps.ops[at];
  }
  const functions = functionSpans(recording, task).map(
    ({ name, from, to, depth }): Slice => ({ name, cat: 'function', from, to, depth: depth + 1 }),
  );
  return [...ops, ...functions].sort((a, b) => a.from - b.from || a.depth - b.depth);
}

/** A recording as a trace. */
export function traceOf(recording: Recording): TraceFile {
  const { program, tasks, events, held, waited, counted, walk, schedule, length } = recording;
  const out: TraceEvent[] = [];
  const meta = (name: string, pid: number, tid: number, args: TraceEvent['args']): void => {
    out.push({ name, ph: 'M', ts: 0, pid, tid, args });
  };
  GROUPS.forEach((name, i) => {
    meta('process_name', i + 1, 0, { name: i === 0 ? program.name : name });
    meta('process_sort_index', i + 1, 0, { sort_index: i });
  });
  const track = (pid: number, tid: number, name: string, list: readonly Slice[]): void => {
    meta('thread_name', pid, tid, { name });
    meta('thread_sort_index', pid, tid, { sort_index: tid });
    for (const event of slices({ pid, tid }, list)) out.push(event);
  };
  let tid = 0;
  tasks.forEach((name, task) => {
    track(TASKS, task + 1, name, taskSlices(recording, task));
    // locks are given back in any order: those that are held at the same time lie on different tracks
    const rows: Slice[][] = [];
    for (const span of held) {
      if (span.task !== task) continue;
      let row = rows.findIndex((list) => (list.at(-1) as Slice).to <= span.from);
      if (row < 0) row = rows.push([]) - 1;
      rows[row].push({ ...span, cat: 'lock', depth: 0 });
    }
    rows.forEach((row, i) => {
      track(HELD, ++tid, `${name}${rows.length > 1 ? ` ${i + 1}` : ''}`, row);
    });
    const waits = waited.filter((span) => span.task === task);
    if (waits.length > 0) {
      const list = waits.map((span): Slice => ({ ...span, cat: 'wait', depth: 0 }));
      track(WAITING, task + 1, name, list);
    }
  });
  for (const { at, task, kind, count } of events) {
    if (kind === 'operation') continue;
    const place = { pid: TASKS, tid: task + 1 };
    out.push({ name: kind, cat: 'event', ph: 'i', ts: at, s: 't', ...place, args: { count } });
  }
  for (const [name, { start, at, value }] of counted) {
    if (at.length === 0) continue;
    const place = { pid: COUNTERS, tid: 0 };
    out.push({ name, ph: 'C', ts: 0, ...place, args: { value: start } });
    at.forEach((step, i) => {
      out.push({ name, ph: 'C', ts: step + 1, ...place, args: { value: value[i] } });
    });
  }
  return {
    traceEvents: out,
    displayTimeUnit: 'ns',
    otherData: { program: program.name, walk, schedule, steps: String(length) },
  };
}
