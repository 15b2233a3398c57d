/** `softleaf ops`: the table of operations at the prompt. */
import {
  describeField,
  OP_FIELD_MEANINGS,
  OP_MEANINGS,
  OPS,
  type OpField,
  type OpFieldSpec,
  type OpName,
  VALUE_MEANINGS,
} from '../program/index.ts';

import { didYouMean } from '../program/internal.ts';
import { ExitCode, type Paint, painter, type Terminal, UsageError } from './terminal.ts';

const NAMES = Object.keys(OPS) as OpName[];
const fieldsOf = (name: OpName) => Object.entries<OpFieldSpec>(OPS[name]);

/** An operation with the smallest value of each field: one that is read without a mistake. */
export function exampleOf(name: OpName): Record<string, unknown> {
  const fields = fieldsOf(name).map(([field, spec]) => [
    field,
    spec.kind === 'integer' ? spec.min : spec.values[0],
  ]);
  return { op: name, ...Object.fromEntries(fields) };
}

function all(paint: Paint): string {
  const width = Math.max(...NAMES.map((name) => name.length));
  const lines = NAMES.map((name) => `${paint('cyan', name.padEnd(width))}  ${OP_MEANINGS[name]}`);
  return `${lines.join('\n')}\n\nsoftleaf ops NAME says what the fields of one are.\n`;
}

function one(name: OpName, paint: Paint): string {
  const fields = fieldsOf(name);
  const width = Math.max(0, ...fields.map(([field]) => field.length));
  const lines = [`${paint('cyan', name)}: ${OP_MEANINGS[name]}`, ''];
  for (const [field, spec] of fields) {
    const { what } = OP_FIELD_MEANINGS[field as OpField];
    const range = spec.kind === 'integer' ? ` (${describeField(spec)})` : '';
    lines.push(`  ${paint('bold', field.padEnd(width))}  ${what}${range}`);
    if (spec.kind !== 'choice') continue;
    const values = VALUE_MEANINGS[field as OpField];
    const wide = Math.max(...spec.values.map((value) => value.length));
    for (const value of spec.values)
      lines.push(
        `  ${' '.repeat(width)}    ${value.padEnd(wide)}  ${values?.[value] ?? ''}`.trimEnd(),
      );
  }
  if (fields.length > 0) lines.push('');
  lines.push(`${JSON.stringify(exampleOf(name)).replace(/([,:])/g, '$1 ')}`);
  return `${lines.join('\n')}\n`;
}

/** The command. */
export function opsCommand(name: string | undefined, terminal: Terminal): ExitCode {
  const paint = painter(terminal.stdout, terminal.env);
  if (name === undefined) {
    terminal.stdout.write(all(paint));
    return ExitCode.clean;
  }
  const found = NAMES.find((known) => known === name);
  if (!found) {
    const hint = didYouMean(name, NAMES) || '; softleaf ops lists them';
    throw new UsageError(`no operation is called ${name}${hint}`);
  }
  terminal.stdout.write(one(found, paint));
  return ExitCode.clean;
}
