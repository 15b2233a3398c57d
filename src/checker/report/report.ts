/** Reports: a finding as a reviewer wants to see it, as data, as text and as a page. */
import { type Finding, ObjectKind } from '../../machine/index.ts';
import { kernelName, kernelNameOf, withoutPerformers } from '../../program/internal.ts';
import { isOrder } from '../check.ts';
import { conflict } from '../conflict.ts';
import { Execution } from '../execution.ts';
import type { Operation, Scenario, SetupOptions } from '../scenario.ts';
import { ScenarioError } from '../scenario-error.ts';
import { Replay, type Run } from '../search/schedule.ts';
import { firstRounds, type TaskRound } from './rounds.ts';
import { type Held, type ScheduleTrace, stepTexts, type TracedStep, trace } from './trace.ts';

/** What a task does, or is about to do. */
export interface ReportPlace {
  task: number;
  /** The operation that it is in; null: it has none but itself. */
  operation: Operation | null;
  /** For a column, such as `read pte buf0:16`. */
  what: string;
  /** The same in a sentence: `reads the entry of buffer 0 page 16`. */
  sentence: string;
  /** The modelled functions, innermost first. */
  stack: readonly string[];
}

/** A line of a report. */
export interface ReportStep extends ReportPlace {
  /** Number of the step in the schedule. */
  at: number;
}

/** A task is interrupted, or has to wait. */
export interface ReportSwitch {
  /** After this step. */
  at: number;
  from: number;
  to: number;
  /** Where `from` stands. */
  stack: readonly string[];
  operation: Operation | null;
  /** What it holds, and since which step. */
  held: Held[];
}

/** A task that did not come to its end, with what it is about to do and what it holds. */
export interface ReportLeft extends ReportPlace {
  held: Held[];
}

export interface Report {
  tasks: readonly string[];
  finding: Finding;
  /** Who took the step that broke it, and in which operation; null: it showed when none could go on. */
  by: Pick<ReportPlace, 'task' | 'operation'> | null;
  /** Functions in it that are not the model's, though they may be called as one of it is. */
  own: readonly string[];
  /** Whether it takes other schedules too to show it. */
  several: boolean;
  /** Why there is no more of it: its schedule does not break the same again. */
  unsteady?: string;
  /** Of a schedule without end: who goes round and round. The steps are those up to the first round's end. */
  rounds: TaskRound[];
  /** Steps of the whole schedule. */
  total: number;
  /** The steps that matter: those that touch what another task touches too. */
  steps: ReportStep[];
  switches: ReportSwitch[];
  left: ReportLeft[];
}

const LOCKS = new Set<ObjectKind>([ObjectKind.Lock, ObjectKind.FolioLock, ObjectKind.File]);

/** Whether two steps touch one object in ways that do not commute, locks aside. */
function meets(a: TracedStep, b: TracedStep): boolean {
  return a.objects.some(([space, id, role]) => {
    if (LOCKS.has(space) || space === ObjectKind.Allocator) return false;
    return b.objects.some(
      ([other, number, how]) => space === other && id === number && conflict(role, how),
    );
  });
}

/**
 * The numbers of the steps that matter: those whose order with a step of another task makes a
 * difference, locks aside; failed allocations; the last one; and every step of a round that none of
 * these belongs to.
 * @param visible the numbers of the steps that can be shown, in order
 */
function mattering(
  { steps }: ScheduleTrace,
  visible: readonly number[],
  rounds: readonly TaskRound[],
): number[] {
  const last = rounds.length > 0 ? -1 : visible[visible.length - 1];
  const matter = new Set(
    visible.filter((at) => {
      const step = steps[at];
      if (step.failed || at === last) return true;
      return steps.some((other) => other.task !== step.task && meets(step, other));
    }),
  );
  const alone = rounds.filter((round) => !round.steps.some((at) => matter.has(at)));
  for (const round of alone) for (const at of round.steps) matter.add(at);
  return [...matter].sort((a, b) => a - b);
}

/** Where tasks take turns. */
function switchesOf({ steps, left }: ScheduleTrace): ReportSwitch[] {
  const switches: ReportSwitch[] = [];
  for (let i = 1; i < steps.length; i++) {
    const { task: from } = steps[i - 1];
    const { task: to } = steps[i];
    if (from === to) continue;
    const next = [...steps.slice(i), ...left].find(({ task }) => task === from);
    if (next === undefined) continue;
    const { stack, operation, held } = next;
    switches.push({ at: i - 1, from, to, stack, operation, held });
  }
  return switches;
}

/**
 * Replays a schedule and reports it.
 * @param shown what several schedules together show, of which this was the last one: nothing breaks in
 *   it alone
 * @throws ScenarioError when nothing breaks in it
 */
export function report(
  scenario: Scenario,
  options: SetupOptions,
  runs: readonly Run[],
  shown: Finding | null = null,
): Report {
  const { x, traced } = replayed(scenario, options, runs);
  return reportOf(x, traced, shown);
}

/** Replays a schedule for a report; what it shows is as `replaySchedule()` has it. */
export function replayed(
  scenario: Scenario,
  options: SetupOptions,
  runs: readonly Run[],
): { x: Execution; traced: ScheduleTrace } {
  const x = new Execution(scenario, { ...options, ledger: true });
  const one = { x, traced: trace(x, new Replay(runs)) };
  if (!isOrder(x.finding) || options.sought !== undefined) return one;
  const beyond = replayed(scenario, { ...options, sought: '' }, runs);
  return beyond.x.finding === null ? one : beyond;
}

/** What there is to report of a finding whose schedule does not break the same again. */
export function unsteadyReport(
  scenario: Scenario,
  finding: Finding,
  steps: number,
  unsteady: string,
): Report {
  return {
    tasks: Object.keys(scenario.tasks),
    finding: { ...finding, stack: withoutPerformers(finding.stack) },
    by: null,
    own: [],
    several: false,
    unsteady,
    rounds: [],
    total: steps,
    steps: [],
    switches: [],
    left: [],
  };
}

/** The report of a schedule that was replayed; the same as `report()`. */
export function reportOf(
  x: Execution,
  traced: ScheduleTrace,
  shown: Finding | null = null,
): Report {
  const finding = x.finding ?? shown;
  if (finding === null) throw new ScenarioError('nothing breaks in this schedule');
  const { steps, left } = traced;
  const last = traced.broke ? steps.at(-1) : undefined;
  const by = last ? { task: last.task, operation: last.operation } : null;
  const several = x.finding === null;
  const endless = finding.invariant === 'livelock';
  const { kept, rounds } = endless
    ? firstRounds(steps, x.names.length)
    : { kept: null, rounds: [] };
  const isKept = (at: number): boolean => kept === null || kept.has(at);
  const visible = [...steps.keys()].filter(isKept);
  const matter = mattering(traced, visible, rounds);
  const texts = stepTexts(x, traced, matter);
  const placed = ({ task, operation, stack }: TracedStep, at: number): ReportPlace => {
    const { short, sentence } = texts[at];
    return { task, operation, what: short, sentence, stack: withoutPerformers(stack) };
  };
  return {
    tasks: x.names,
    finding: { ...finding, stack: withoutPerformers(finding.stack) },
    by,
    own: [...traced.own],
    several,
    rounds,
    total: steps.length,
    steps: matter.map((at) => ({ at, ...placed(steps[at], at) })),
    switches: switchesOf(traced)
      .filter(({ at }) => isKept(at))
      .map((one) => ({ ...one, stack: withoutPerformers(one.stack) })),
    left: left.map((step, i) => ({ ...placed(step, steps.length + i), held: step.held })),
  };
}

/** Functions as a chain, from the innermost outwards; of the innermost with the kernel's name. */
function stackText({ own }: Report, stack: readonly string[], most = 6): string {
  const names = withoutPerformers(stack);
  const kernel = kernelNameOf(names, new Set(own));
  const shown = names.slice(0, most);
  if (kernel) shown[0] += ` [${kernel}]`;
  if (names.length > most) shown.push('…');
  return shown.join(' < ') || 'its first step';
}

function heldText(held: { name: string; since: number }[]): string {
  if (held.length === 0) return 'holds no lock';
  return `holds ${held.map(({ name, since }) => `${name} (since step ${since})`).join(', ')}`;
}

function fitted(text: string, width: number): string {
  return text.length > width ? `${text.slice(0, width - 1)}…` : text.padEnd(width);
}

type Row =
  | { step: ReportStep }
  | { switch: ReportSwitch }
  | { left: Report['left'][number] }
  /** Steps that are left out. */
  | { cut: number };

/** Functions of a call trace that say where something broke. */
const MOST_FUNCTIONS = 10;

/** Rows that a reader gets: of what goes round and round the beginning and the end say it all. */
const FIRST_ROWS = 80;
const LAST_ROWS = 20;

/** The report from top to bottom. */
function rowsOf({ steps, switches, left }: Report): Row[] {
  const rows: Row[] = [];
  let next = 0;
  for (const step of steps) {
    while (next < switches.length && switches[next].at < step.at) {
      rows.push({ switch: switches[next++] });
    }
    rows.push({ step });
  }
  for (const one of switches.slice(next)) rows.push({ switch: one });
  const cut = rows.length - FIRST_ROWS - LAST_ROWS;
  if (cut > 0) rows.splice(FIRST_ROWS, cut, { cut });
  return [...rows, ...left.map((one) => ({ left: one }))];
}

/** What else is known of a finding. */
function detailsOf({ tasks, finding, several, unsteady, rounds }: Report): string[] {
  const details = finding.detail ? finding.detail.split('; ') : [];
  for (const { task, steps, times } of rounds) {
    const round = steps.length === 1 ? 'one step' : `${steps.length} steps`;
    details.push(`${tasks[task]} goes round and round: ${round}, ${times} times and more`);
  }
  if (several) {
    details.push('several schedules together show this; the one above was the last of them');
  }
  if (unsteady !== undefined) details.push(unsteady);
  return details;
}

/** Who it was, and in which operation. */
function byText({ tasks, by, left, unsteady }: Report): string {
  if (unsteady !== undefined) return 'nobody knows in which step';
  if (!by) return left.length > 0 ? 'nobody comes to an end' : 'when every task has ended';
  return by.operation ? `by ${tasks[by.task]}, in ${by.operation.text}` : `by ${tasks[by.task]}`;
}

/** Lines of at most `width` characters, those after the first one indented by as much as they say. */
export function wrapped(text: string, width: number, indent: string, first = indent): string[] {
  const lines: string[] = [];
  let line = first;
  let any = false;
  for (const word of text.split(' ')) {
    if (any && line.length + 1 + word.length > width) {
      lines.push(line);
      line = indent + word;
    } else line += any ? ` ${word}` : word;
    any = true;
  }
  lines.push(line);
  return lines;
}

/** The functions that led there, one a line as in a call trace, each beside the kernel's. */
function traceLines({ finding: { stack }, own }: Report, width: number): string[] {
  const shown = stack.slice(0, MOST_FUNCTIONS);
  const widest = Math.max(0, ...shown.map(({ length }) => length));
  const lines = shown.map((name) =>
    fitted(
      `         ${name.padEnd(widest)}  ${own.includes(name) ? '' : kernelName(name)}`.trimEnd(),
      width,
    ).trimEnd(),
  );
  return stack.length > shown.length ? [...lines, '         …'] : lines;
}

/** A step in a column: the function first, as it says most; then what it does, and the kernel's name if it fits. */
function cellText({ stack, what }: ReportPlace, { own }: Report, width: number): string {
  const names = withoutPerformers(stack);
  if (names.length === 0) return what;
  const text = `${names[0]}  ${what}`;
  const kernel = kernelNameOf(names, new Set(own));
  const whole = `${text}  ${kernel}`;
  return kernel && whole.length <= width ? whole : text;
}

/**
 * The report as text, the tasks side by side.
 * @param width characters of a line
 */
export function reportText(r: Report, width = 120): string {
  const column = Math.max(24, Math.floor((width - 6) / r.tasks.length) - 3);
  const line = (at: string, task: number, text: string): string => {
    const cells = r.tasks.map((_, i) => fitted(i === task ? text : '', column));
    return `${at.padStart(5)}  ${cells.join(' | ')}`.trimEnd();
  };
  const lines = [
    `${' '.repeat(7)}${r.tasks.map((name) => fitted(name, column)).join(' | ')}`.trimEnd(),
    `${' '.repeat(7)}${r.tasks.map(() => '-'.repeat(column)).join('-+-')}`,
  ];
  const say = (mark: string, text: string): void => {
    lines.push(...wrapped(text, width, ' '.repeat(9), `       ${mark} `));
  };
  const isIn = r.tasks.map(() => -1);
  const enter = (task: number, operation: Operation | null): void => {
    if (!operation || operation.number === isIn[task]) return;
    isIn[task] = operation.number;
    lines.push(line('', task, `> ${operation.text}`));
  };
  for (const row of rowsOf(r)) {
    if ('step' in row) {
      const { at, task, operation } = row.step;
      enter(task, operation);
      lines.push(line(String(at), task, cellText(row.step, r, column)));
    } else if ('switch' in row) {
      const { from, to, stack, held } = row.switch;
      say('~', `${r.tasks[from]} is left in ${stackText(r, stack)}`);
      say(' ', `and ${heldText(held)}; ${r.tasks[to]} goes on`);
    } else if ('left' in row) {
      const { task, sentence, operation, stack, held } = row.left;
      const during = operation ? `, in ${operation.text}` : '';
      say('!', `${r.tasks[task]}${during}: next it ${sentence} in ${stackText(r, stack)}`);
      say(' ', `and ${heldText(held)}`);
    } else lines.push(`       … ${row.cut} lines like these …`);
  }
  const { finding } = r;
  lines.push(...wrapped(`${finding.invariant}: ${finding.title}`, width, ' '.repeat(7), '  ==>  '));
  for (const detail of detailsOf(r)) lines.push(...wrapped(detail, width, ' '.repeat(7)));
  lines.push(...wrapped(byText(r), width, ' '.repeat(7)));
  lines.push(...traceLines(r, width));
  return `${lines.join('\n')}\n`;
}

const escaped = (text: string): string =>
  text.replace(
    /[&<>"]/g,
    (c) => ({ '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;' })[c] ?? c,
  );

const STYLE = `
:root{color-scheme:light dark}
body{font:14px/1.5 system-ui,sans-serif;margin:2em auto;max-width:80em;padding:0 1em;color:#1a1a1a;background:#fff}
h1{font-size:1.5em}h2{font-size:1.15em;margin-top:2em}
table{border-collapse:collapse;width:100%}td,th{border:1px solid #ccc;padding:.25em .6em;vertical-align:top;text-align:left}
td.n{color:#666;text-align:right;width:3em}td.s{background:#f3f0e6;color:#444}
td{overflow-wrap:anywhere}a{color:#0b57b0}
code{font:13px ui-monospace,monospace}small{color:#555}.bad{background:#fbe3e0;font-weight:600}
pre{background:#f6f6f6;padding:.8em;overflow:auto;white-space:pre-wrap}
@media(prefers-color-scheme:dark){body{color:#ddd;background:#181818}td,th{border-color:#444}td.s{background:#2a2820;color:#bbb}
pre{background:#222}small,td.n{color:#a4a4a4}.bad{background:#4a201c}a{color:#7cb7ff}}`;

function reportTable(r: Report): string {
  const span = r.tasks.length + 1;
  const across = (style: string, text: string): string =>
    `<tr><td class="${style}" colspan="${span}">${escaped(text)}</td></tr>`;
  const rows = rowsOf(r).map((row) => {
    if ('step' in row) {
      const { at, task, sentence, operation, stack } = row.step;
      const where = `<code>${escaped(stackText(r, stack, 3))}</code>`;
      const during = operation ? `<br><small>${escaped(operation.text)}</small>` : '';
      const cells = r.tasks.map((_, i) =>
        i === task ? `<td>${where}<br>${escaped(sentence)}${during}</td>` : '<td></td>',
      );
      return `<tr><td class="n">${at}</td>${cells.join('')}</tr>`;
    }
    if ('switch' in row) {
      const { from, to, stack, held } = row.switch;
      const how = `${r.tasks[from]} is left in ${stackText(r, stack)}, and ${heldText(held)}`;
      return across('s', `${how}; ${r.tasks[to]} goes on`);
    }
    if ('left' in row) {
      const { task, sentence, operation, stack, held } = row.left;
      const during = operation ? `, in ${operation.text}` : '';
      const how = `${r.tasks[task]}${during}: next it ${sentence} in ${stackText(r, stack)}`;
      return across('s', `${how}, and ${heldText(held)}`);
    }
    return across('s', `… ${row.cut} lines like these …`);
  });
  rows.push(across('bad', `${r.finding.invariant}: ${r.finding.title}`));
  for (const detail of [...detailsOf(r), byText(r)]) rows.push(across('s', detail));
  if (r.finding.stack.length > 0) rows.push(across('s', `in ${stackText(r, r.finding.stack, 10)}`));
  const heads = r.tasks.map((name) => `<th scope="col">${escaped(name)}</th>`).join('');
  return `<table><tr><th scope="col">step</th>${heads}</tr>${rows.join('\n')}</table>`;
}

/** A part of a page of reports. */
export interface PagePart {
  title: string;
  /** Where: the scenario. */
  where: string;
  /** The line that replays it. */
  replay: string;
  /** Where a lab shows it. */
  link?: string;
  /** The program, as it was shrunk. */
  program?: string;
  report: Report;
}

/** A self-contained page. */
export function reportPage(heading: string, summary: string, parts: readonly PagePart[]): string {
  const body = parts.map(
    (part) => `<h2>${escaped(part.title)}</h2>
<p>${escaped(part.where)}</p>
${part.program === undefined ? '' : `<pre><code>${escaped(part.program)}</code></pre>`}
${reportTable(part.report)}
<p>Again:</p><pre><code>${escaped(part.replay)}</code></pre>
${part.link === undefined ? '' : `<p><a href="${escaped(part.link)}">Step by step in the lab</a></p>`}`,
  );
  return `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width"><meta name="color-scheme" content="light dark">
<title>${escaped(heading)}</title><style>${STYLE}</style></head>
<body><main><h1>${escaped(heading)}</h1><pre>${escaped(summary)}</pre>
${body.join('\n')}
</main></body></html>
`;
}
