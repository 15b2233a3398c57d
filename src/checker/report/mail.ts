/**
 * A counterexample as a mail to a kernel list: what the processes do, a column a CPU with the kernel's
 * functions and locks, what comes of it, and who holds what.
 */
import { type Finding, type Lock, ObjectKind, Role } from '../../machine/index.ts';
import type { ConcurrentProgram } from '../../program/index.ts';
import { callWords, kernelFunction, withoutPerformers } from '../../program/internal.ts';
import type { Scenario, SetupOptions } from '../scenario.ts';
import type { Run } from '../search/schedule.ts';
import { type Report, replayed, reportOf, wrapped } from './report.ts';
import { type ScheduleTrace, stepTexts, type TracedStep } from './trace.ts';

/** Characters of a line, as mails have them. */
const WIDTH = 76;
/** Characters that the last column has at least: each function's name fits. */
const LAST_COLUMN = 38;
/** Lines of the columns at most, and how many of the end are among them. */
const MOST_LINES = 160;
const LAST_LINES = 40;

/** What the mail says beside what happens. */
export interface MailAbout {
  /** The walk by which migrations are prepared. */
  walk: string;
  /** The line that replays it. */
  replay: string;
  /** The program, where the scenario is one. */
  program?: ConcurrentProgram;
}

/** What the kernel calls to take, to try and to give back a lock: for writing, for reading. */
function lockCall(lock: Lock | undefined, step: TracedStep): string {
  const [[object, id, role]] = step.objects;
  const shared = role === Role.AcquireShared || role === Role.ReleaseShared;
  const verb =
    role === Role.TryAcquire
      ? 'trylock'
      : role === Role.Release || role === Role.ReleaseShared
        ? 'unlock'
        : 'lock';
  if (object === ObjectKind.FolioLock) return `folio_${verb}(folio ${id})`;
  const name = lock?.name ?? '';
  const way = shared ? 'read' : 'write';
  if (name.startsWith('mmap_lock')) return `mmap_${way}_${verb}(mm)`;
  if (name.startsWith('i_mmap_rwsem')) return `i_mmap_${verb}_${way}(mapping)`;
  if (name.startsWith('anon_vma')) return `anon_vma_${verb}_${way}(anon_vma)`;
  if (name.startsWith('page_table_lock')) return `spin_${verb}(&mm->page_table_lock)`;
  if (name.startsWith('notifier subscriptions')) return `spin_${verb}(&subscriptions->lock)`;
  if (lock === undefined || name.startsWith('page table ')) return `spin_${verb}(ptl)`;
  const kind = { spin: 'spin', mutex: 'mutex', rwsem: shared ? 'read' : 'write' }[lock.lockClass];
  return `${kind}_${verb}(${name})`;
}

/** A lock, among all that a step may be about; null: the step is about something else. */
function lockKey({ objects: [[object, id]] }: TracedStep): string | null {
  return object === ObjectKind.Lock || object === ObjectKind.FolioLock ? `${object} ${id}` : null;
}

/** The numbers of the steps that take or give back a lock for which two tasks care. */
function lockSteps({ steps, left }: ScheduleTrace): number[] {
  const users = new Map<string, Set<number>>();
  for (const step of [...steps, ...left]) {
    const key = lockKey(step);
    if (key !== null) users.set(key, (users.get(key) ?? new Set()).add(step.task));
  }
  return [...steps.keys()].filter((at) => {
    const key = lockKey(steps[at]);
    return key !== null && (users.get(key)?.size ?? 0) > 1;
  });
}

/**
 * The functions of a stack, outermost first, by the kernel's names; a driver's own by theirs.
 * @param own those that are the driver's
 */
export function toldFunctions(stack: readonly string[], own: ReadonlySet<string>): string[] {
  const names: string[] = [];
  for (const modelled of withoutPerformers(stack).reverse()) {
    const name = own.has(modelled) ? modelled : kernelFunction(modelled)?.name;
    if (name !== undefined && names.at(-1) !== name) names.push(name);
  }
  return names;
}

/** Lines of the columns, each with its task. */
class Columns {
  readonly lines: string[] = [];
  private readonly shown: string[][];
  private readonly operations: number[];
  /** By task: what it did last, which is not told twice. */
  private readonly done: string[] = [];
  private readonly apart: number;

  constructor(
    tasks: readonly string[],
    private readonly own: ReadonlySet<string>,
  ) {
    const others = Math.max(1, tasks.length - 1);
    this.apart = Math.min(LAST_COLUMN, Math.floor((WIDTH - LAST_COLUMN) / others));
    this.shown = tasks.map(() => []);
    this.operations = tasks.map(() => -1);
    const heads = tasks.map((name, i) => `CPU${i}: ${name}`);
    // side by side if they fit, else each in a line where its column is
    if (heads.every(({ length }) => length < this.apart)) {
      this.lines.push(
        heads
          .map((head) => head.padEnd(this.apart))
          .join('')
          .trimEnd(),
      );
    } else for (const [i, head] of heads.entries()) this.say(i, 0, head);
    this.lines.push('-'.repeat(WIDTH));
  }

  private say(task: number, depth: number, text: string): void {
    const from = task * this.apart;
    const fits = Math.max(0, Math.min(depth, WIDTH - from - text.length));
    const indent = ' '.repeat(from + (text.includes(' ') ? depth : fits));
    this.lines.push(...wrapped(text, WIDTH, `${indent}  `, indent));
  }

  /** A step: the functions that it is in, as far as they were not told before, and what it does there. */
  step({ task, stack, operation }: TracedStep, does: string): void {
    if (operation && operation.number !== this.operations[task]) {
      this.operations[task] = operation.number;
      this.shown[task] = [];
      this.say(task, 0, operation.call);
    }
    const functions = toldFunctions(stack, this.own);
    const before = this.shown[task];
    let same = 0;
    while (same < functions.length && functions[same] === before[same]) same++;
    if (same === functions.length && same === before.length && this.done[task] === does) return;
    this.done[task] = does;
    for (let i = same; i < functions.length; i++) this.say(task, i + 1, `${functions[i]}()`);
    this.shown[task] = functions;
    this.say(task, functions.length + 1, does);
  }

  cut(): void {
    const more = this.lines.length - MOST_LINES;
    if (more > 0) this.lines.splice(MOST_LINES - LAST_LINES, more, `   … ${more} lines …`);
  }
}

/** With a capital letter, unless it begins with the name of a function or an operation. */
const sentence = (text: string): string =>
  /^\w+[(:]/.test(text) ? text : text.charAt(0).toUpperCase() + text.slice(1);

/** What is there before the tasks run. */
function setupLines(tasks: readonly string[], scenario: Scenario, about: MailAbout): string[] {
  const { program } = about;
  const lines: string[] = [];
  const paragraph = (text: string): void => {
    lines.push(...wrapped(text, WIDTH, '', ''), '');
  };
  const comment = [scenario.comment ?? []].flat().join(' ');
  if (comment !== '') paragraph(comment);
  const who = tasks.map((name, i) => `${name} on CPU${i}`);
  const all = who.length > 1 ? `${who.slice(0, -1).join(', ')} and ${who.at(-1)}` : who[0];
  paragraph(
    `A model of Linux 7.3.4 (Softleaf) ran ${all} in the order below. Migrations are prepared as ` +
      `with its walk "${about.walk}". buf0:1 is the second page of the first mapping.`,
  );
  if (program && program.setup.length > 0) {
    lines.push('Before that:', '');
    for (const op of program.setup) lines.push(...wrapped(callWords(op), WIDTH, '      ', '    '));
    lines.push('');
  }
  return lines;
}

/** What broke, and who is where with which locks. */
function endLines(finding: Finding, told: Report): string[] {
  const lines: string[] = [];
  const paragraph = (text: string): void => {
    lines.push(...wrapped(text, WIDTH, '', ''), '');
  };
  const own = new Set(told.own);
  const functions = toldFunctions(finding.stack, own);
  const at = functions.length > 0 ? ` in ${functions.at(-1)}()` : '';
  const { by } = told;
  const who = by ? ` on CPU${by.task}` : told.left.length > 0 ? '' : ', when all have ended';
  paragraph(`${sentence(finding.title)}${at}${who}.`);
  for (const detail of finding.detail?.split('; ') ?? []) paragraph(`${sentence(detail)}.`);
  told.tasks.forEach((name, task) => {
    const left = told.left.find((one) => one.task === task);
    const last = left && toldFunctions(left.stack, own).at(-1);
    const holds = (left?.held ?? []).map((lock) => lock.name).join(', ') || 'no lock';
    const where = last === undefined ? '' : ` in ${last}()`;
    const next = left ? `${where} holds ${holds}; next it ${left.sentence}` : ' has ended';
    lines.push(...wrapped(`CPU${task} (${name})${next}.`, WIDTH, '      ', ''));
  });
  return [...lines, ''];
}

/** A command line, in lines that a shell reads as one. */
function commandLines(line: string): string[] {
  return wrapped(line, WIDTH - 2, '        ', '    ').map((part, i, all) =>
    i < all.length - 1 ? `${part} \\` : part,
  );
}

/**
 * A schedule that breaks something as a mail.
 * @throws Error when nothing breaks in it
 */
export function mailText(
  scenario: Scenario,
  options: SetupOptions,
  runs: readonly Run[],
  about: MailAbout,
): string {
  const { x, traced } = replayed(scenario, options, runs);
  const told = reportOf(x, traced);
  const { steps, locks } = traced;
  const matter = new Set(told.steps.map(({ at }) => at));
  const taken = new Set(lockSteps(traced));
  // of one task alone everything matters
  const isAlone = told.tasks.length === 1;
  const shown = [...steps.keys()].filter((at) => isAlone || matter.has(at) || taken.has(at));
  const texts = stepTexts(x, traced, shown);
  const columns = new Columns(told.tasks, traced.own);
  for (const at of shown) {
    const step = steps[at];
    const isLock = lockKey(step) !== null;
    columns.step(step, isLock ? lockCall(locks.get(step.objects[0][1]), step) : texts[at].sentence);
  }
  columns.cut();
  const { finding } = told;
  return [
    ...wrapped(`Subject: ${scenario.name}: ${finding.title}`, WIDTH, '  ', ''),
    '',
    ...setupLines(told.tasks, scenario, about),
    ...columns.lines,
    '',
    ...endLines(finding, told),
    'To see it again:',
    '',
    ...commandLines(about.replay),
    '',
  ].join('\n');
}
