/** The machine's geometry as a program's text says it, and changing it there. */
import { MACHINE } from '../../src/program/index.ts';
import { type JsonPart, scan } from './json.ts';

export type MachineField = keyof typeof MACHINE;

/** A change of a text. */
export interface Edit {
  readonly from: number;
  readonly to: number;
  readonly insert: string;
}

/** Numbers that are all offered; of more, the powers of two are. */
const MOST_CHOICES = 100;

function powers(min: number, max: number): string[] {
  const all: string[] = [];
  for (let n = min; n <= max; n *= 2) all.push(String(n));
  return all;
}

/** What a field may be chosen from. */
export function choicesOf(field: MachineField): readonly string[] {
  const spec = MACHINE[field];
  switch (spec.kind) {
    case 'choice':
      return spec.values;
    case 'choices':
      return spec.values.map((value) => JSON.stringify([value]));
    case 'truth':
      return ['true', 'false'];
    case 'integer':
      if (spec.max - spec.min >= MOST_CHOICES) return powers(spec.min, spec.max);
      return Array.from({ length: spec.max - spec.min + 1 }, (_, i) => String(spec.min + i));
    case 'power':
      return powers(spec.min, spec.max);
  }
}

const member = (part: JsonPart | null | undefined, name: string) =>
  part?.members.findLast((one) => one.name === name);

/** What the text says of a field, as JSON; empty: nothing. */
export function machineIn(text: string, field: MachineField): string {
  const found = member(member(scan(text).root, 'machine')?.part, field)?.part;
  return found ? text.slice(found.from, found.to) : '';
}

/** Takes a member out of an object, with the comma that goes with it. */
function without(part: JsonPart, name: string): Edit | null {
  const at = part.members.findIndex((one) => one.name === name);
  if (at < 0) return null;
  const next = part.members[at + 1];
  if (next) return { from: part.members[at].from, to: next.from, insert: '' };
  const last = part.members[at - 1];
  return {
    from: last ? last.part.to : part.members[at].from,
    to: part.members[at].part.to,
    insert: '',
  };
}

/**
 * The change that makes a text say something else of the machine, and leaves everything else as it is.
 * @param value JSON; empty: nothing is said, the default holds
 * @returns null when there is nothing to change, or the text is no JSON
 */
export function changeMachine(text: string, field: MachineField, value: string): Edit | null {
  const { root, error } = scan(text);
  if (root?.kind !== 'object' || error >= 0) return null;
  const machine = member(root, 'machine')?.part;
  if (machine && machine.kind !== 'object') return null;
  const there = member(machine, field)?.part;
  if (value === '') {
    if (!machine || !there) return null;
    // an empty machine says nothing
    return machine.members.length === 1 ? without(root, 'machine') : without(machine, field);
  }
  if (there) return { from: there.from, to: there.to, insert: value };
  const said = `${JSON.stringify(field)}: ${value}`;
  if (machine) {
    const last = machine.members.at(-1);
    const at = last ? last.part.to : machine.from + 1;
    return { from: at, to: at, insert: last ? `, ${said}` : said };
  }
  // behind the name, on a line of its own if the name has one
  const after = member(root, 'name') ?? root.members.at(-1);
  if (!after) return { from: root.from + 1, to: root.from + 1, insert: `"machine": {${said}}` };
  const before = /(^|[{,])(\s*)$/.exec(text.slice(root.from, after.from))?.[2] ?? ' ';
  const at = after.part.to;
  return { from: at, to: at, insert: `,${before || ' '}"machine": {${said}}` };
}
