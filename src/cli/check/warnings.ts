/** What a verdict is worth less by: searches in which nothing could break. */
import { resolve } from 'node:path';
import { type JobResult, seenByBoth } from '../../checker/index.ts';
import { isPairName } from '../../checker/light.ts';
import { readJson, readText } from '../files.ts';
import { isModule, RECORDED } from './files.ts';
import type { CheckJob } from './work.ts';

/** Something to be looked at, though nothing broke. */
export interface Warning {
  file: string;
  /** In the file, where it is known. */
  line?: number;
  scenario: string;
  text: string;
}

/** What the searches of one scenario on one walk came to. */
type Done = readonly { job: CheckJob; result: JobResult }[];

type Told = Pick<Warning, 'line' | 'text'>;

type LineOf = (where: readonly (string | number)[]) => { line?: number };

/** The lines of a program's operations; none where it was made by something else. The file is read when one is asked for. */
function linesOf({ file }: CheckJob): LineOf {
  if (file === '-' || isModule(file)) return () => ({});
  let read: ReturnType<typeof readJson> | undefined;
  return (where) => {
    read ??= readJson(readText(file));
    return { line: read.at(where).line };
  };
}

/** The names of tasks that met no other one. */
function aloneOf(tasks: readonly string[], meets: number): string[] {
  return tasks.filter((_, i) => (meets & (1 << i)) === 0);
}

/** What is to be looked at in the searches of one scenario on one walk. */
export function warningsOfCase(done: Done): Told[] {
  const [{ job }] = done;
  const results = done.map(({ result }) => result);
  const { tasks, failed, warnings } = results.map(({ seen }) => seen).reduce(seenByBoth);
  // nothing was tried, or what was tried is told
  const isTold = results.some(({ findings }) => findings.length > 0);
  if (isTold || results.every(({ schedules }) => schedules === 0))
    return warnings.map((text) => ({ text }));
  const alone = aloneOf(
    tasks,
    results.reduce((all, { coverage }) => all | coverage.meets, 0),
  );
  const lineOf = linesOf(job);
  const told: Told[] = [];
  const say = (text: string, where: { line?: number } = {}): void => {
    told.push({ text, ...where });
  };
  const isAlone = tasks.length === 1;
  // the hardware, and allocations that fail, are something to try as well; one task alone lets nobody in
  const isMore = done.some(({ job: { plan } }) => plan.hardware || plan.faults > 0);
  if (isAlone && !isMore) say('there is one task alone, so that there is one order');
  else if (!isAlone && alone.length === tasks.length) {
    say('the tasks never touch one object, locks aside: no order of them makes a difference');
  } else if (!isAlone && alone.length > 0) {
    say(`${alone.join(', ')}: never touches an object that another task touches, locks aside`);
  }
  for (const [, one] of failed) {
    if (one === null) continue;
    const { where = [], place, op, ret } = one;
    const of = where[0] === 'tasks' ? `${where[1]}` : where[0];
    if (place !== undefined) say(`${op} (${place}) fails in every schedule: ${ret}`);
    else {
      const what = `operation ${where.at(-1)} of ${of}, ${op},`;
      say(`${what} fails in every schedule: ${ret}`, lineOf(where));
    }
  }
  return [...told, ...warnings.map((text) => ({ text }))];
}

/** What is to be looked at, of each scenario once. */
export function warningsOf(cases: readonly Done[]): Warning[] {
  const warnings = new Map<string, Warning>();
  for (const done of cases) {
    const [{ job }] = done;
    // whoever takes every two operations takes some that do not meet, or cannot do anything; what is recorded has one order
    if (isPairName(job.file) || resolve(job.file) === RECORDED) continue;
    for (const { text, ...where } of warningsOfCase(done)) {
      const warning = { file: job.file, ...where, scenario: job.name, text };
      warnings.set(JSON.stringify(warning), warning);
    }
  }
  return [...warnings.values()];
}
