/** A recording's steps, functions, locks and events by task: what the timeline draws. */
import { functionSpans, type Recording, type Span } from '../../../src/recording/index.ts';

/** By task, in the order of steps, so that what is seen is found by bisection. */
export interface Lane {
  readonly name: string;
  readonly steps: Int32Array;
  /** The functions that it is in, by depth. */
  readonly rows: readonly (readonly Span[])[];
  /** The locks that it holds, by how many it held before. */
  readonly held: readonly (readonly Span[])[];
  readonly waited: readonly Span[];
  /** By kind: the steps with such an event. */
  readonly events: ReadonlyMap<string, Int32Array>;
}

/** By kind: the steps with such an event of a task. */
function eventsOf({ events }: Recording, task: number): Map<string, Int32Array> {
  const lists = new Map<string, number[]>();
  for (const { at, task: by, kind } of events) {
    if (by !== task) continue;
    const list = lists.get(kind);
    if (list) list.push(at);
    else lists.set(kind, [at]);
  }
  return new Map([...lists].map(([kind, list]) => [kind, Int32Array.from(list)]));
}

function byDepth(spans: readonly Span[]): Span[][] {
  const rows: Span[][] = [];
  for (const span of spans) {
    while (rows.length <= span.depth) rows.push([]);
    rows[span.depth].push(span);
  }
  return rows;
}

/** One lane a task. */
export function lanesOf(recording: Recording): Lane[] {
  return recording.tasks.map((name, task) => {
    const steps: number[] = [];
    for (let at = 0; at < recording.length; at++) {
      if (recording.taskAt(at) === task) steps.push(at);
    }
    const own = (spans: readonly Span[]) => spans.filter((span) => span.task === task);
    return {
      name,
      steps: Int32Array.from(steps),
      rows: byDepth(functionSpans(recording, task)),
      held: byDepth(own(recording.held)),
      waited: own(recording.waited),
      events: eventsOf(recording, task),
    };
  });
}
