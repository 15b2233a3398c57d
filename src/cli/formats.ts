/** Results of many tests as other programs read them: KTAP, JUnit's XML, annotations of GitHub. */

import type { Format } from './choices.ts';

/** What became of one test. */
export interface Case {
  name: string;
  outcome: 'passed' | 'failed' | 'skipped' | 'error';
  /** Why, in one line. */
  message?: string;
  /** More about it, a line each. */
  details?: readonly string[];
  /** Where it is written. */
  file?: string;
  /** From 1. */
  line?: number;
  column?: number;
}

/** Results, in the order of the tests; `suite` names all of them. */
export function formatCases(format: Format, suite: string, cases: readonly Case[]): string {
  const make = { ktap, junit, github }[format];
  return `${make(suite, cases).join('\n')}\n`;
}

const oneLine = (text: string) => text.replace(/[\r\n]+/g, ' ');

/** Documentation/dev-tools/ktap.rst, version 1. */
function ktap(suite: string, cases: readonly Case[]): string[] {
  const named = (text: string) => oneLine(text).replace(/[\\#]/g, (letter) => `\\${letter}`);
  const lines = ['KTAP version 1', `# ${oneLine(suite)}`, `1..${cases.length}`];
  for (const [i, { name, outcome, message, details = [] }] of cases.entries()) {
    for (const line of details) lines.push(`# ${oneLine(line)}`);
    const ok = outcome === 'passed' || outcome === 'skipped';
    const skip = outcome === 'skipped' ? ' # SKIP' : '';
    const why = message === undefined ? '' : `${skip ? '' : ' #'} ${oneLine(message)}`;
    lines.push(`${ok ? 'ok' : 'not ok'} ${i + 1} ${named(name)}${skip}${why}`);
  }
  const count = (which: Case['outcome']) => cases.filter(({ outcome }) => outcome === which).length;
  const [pass, fail, skip, error] = (['passed', 'failed', 'skipped', 'error'] as const).map(count);
  lines.push(`# Totals: pass:${pass} fail:${fail} xfail:0 xpass:0 skip:${skip} error:${error}`);
  return lines;
}

const XML: Record<string, string> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;' };

/** Text in XML 1.0, which most control characters cannot be in. */
function xml(text: string): string {
  return (
    text
      // biome-ignore lint/suspicious/noControlCharactersInRegex: these are the ones to replace
      .replace(/[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]/g, '?')
      .replace(/[&<>"]/g, (letter) => XML[letter])
  );
}

const ELEMENTS = { failed: 'failure', error: 'error', skipped: 'skipped' } as const;

function junit(suite: string, cases: readonly Case[]): string[] {
  const count = (which: Case['outcome']) => cases.filter(({ outcome }) => outcome === which).length;
  const counts =
    `tests="${cases.length}" failures="${count('failed')}" errors="${count('error')}" ` +
    `skipped="${count('skipped')}"`;
  const lines = [
    '<?xml version="1.0" encoding="UTF-8"?>',
    `<testsuites ${counts}>`,
    `<testsuite name="${xml(suite)}" ${counts}>`,
  ];
  for (const { name, outcome, message = outcome, details = [], file, line } of cases) {
    const place = file === undefined ? '' : ` file="${xml(file)}"`;
    const at = line === undefined ? '' : ` line="${line}"`;
    const head = `<testcase name="${xml(name)}" classname="${xml(suite)}"${place}${at}`;
    if (outcome === 'passed') {
      lines.push(`${head}/>`);
      continue;
    }
    const element = ELEMENTS[outcome];
    const inner = `<${element} message="${xml(oneLine(message))}">${xml(details.join('\n'))}</${element}>`;
    lines.push(`${head}>${inner}</testcase>`);
  }
  lines.push('</testsuite>', '</testsuites>');
  return lines;
}

/** Workflow commands: what failed is shown beside the line of the file. */
function github(suite: string, cases: readonly Case[]): string[] {
  const data = (text: string) =>
    text.replace(/[%\r\n]/g, (letter) => encodeURIComponent(letter).toUpperCase());
  const property = (text: string) =>
    data(text).replace(/[:,]/g, (letter) => encodeURIComponent(letter).toUpperCase());
  const lines: string[] = [];
  for (const { name, outcome, message = outcome, details = [], file, line, column } of cases) {
    if (outcome !== 'failed' && outcome !== 'error') continue;
    const place = [
      ...(file === undefined ? [] : [`file=${property(file)}`]),
      ...(line === undefined ? [] : [`line=${line}`]),
      ...(column === undefined ? [] : [`col=${column}`]),
      `title=${property(`${suite}: ${name}`)}`,
    ];
    lines.push(`::error ${place.join(',')}::${data([message, ...details].join('\n'))}`);
  }
  const wrong = lines.length;
  const skipped = cases.filter(({ outcome }) => outcome === 'skipped').length;
  lines.push(`${suite}: ${cases.length - wrong - skipped} of ${cases.length} passed`);
  return lines;
}
