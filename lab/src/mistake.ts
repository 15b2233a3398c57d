/** A mistake in a program's text, and where it is. */
import { ProgramError } from '../../src/program/index.ts';
import { locate, type Path, scan } from './json.ts';
import { JsonError } from './reading.ts';

export interface Mistake {
  readonly message: string;
  /** Characters of the text; -1: nowhere in particular. */
  readonly from: number;
  readonly to: number;
}

/** The way from the program down to a place in it. */
function pathOf({ list, opIndex, field }: ProgramError['place']): Path {
  const path: (string | number)[] = [];
  if (list === 'setup' || list === 'after') path.push(list);
  else if (list !== undefined) path.push('tasks', list);
  else if (opIndex !== undefined) path.push('ops');
  if (opIndex !== undefined) path.push(opIndex);
  // where the list itself is wrong, the field names it once more
  else if (list !== undefined) return path;
  for (const [, name, index] of (field ?? '').matchAll(/([^.[\]]+)|\[(\d+)\]/g)) {
    path.push(name ?? Number(index));
  }
  return path;
}

/** Where in a text the mistake is that an error tells of. */
export function mistakeOf(source: string, error: unknown): Mistake {
  if (error instanceof JsonError) {
    const { line, column, message } = error.mistake;
    const before = source.split('\n').slice(0, line - 1);
    const start = before.reduce((sum, text) => sum + text.length + 1, 0);
    const from = Math.min(start + column - 1, source.length);
    const to = Math.min(from + 1, source.length);
    return { message: `This is not JSON: ${message}`, from, to };
  }
  const { root } = scan(source);
  const nowhere = { from: -1, to: -1 };
  if (!(error instanceof ProgramError)) return { message: String(error), ...nowhere };
  const path = pathOf(error.place);
  const range = root && path.length > 0 ? locate(root, path) : nowhere;
  return { message: error.message, ...(range.from === root?.from ? nowhere : range) };
}
