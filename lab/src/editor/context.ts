/** Where in an unfinished program one stands: in which part of it, at a name or a value. */
import type { Path } from '../json.ts';

export interface Context {
  /** The object or array that one is in. */
  readonly path: Path;
  readonly expects: 'name' | 'value';
  /** Of a value in an object: its name. */
  readonly name: string;
  /** What the object says, before and behind: JSON by name. */
  readonly said: ReadonlyMap<string, string>;
  /** What is there already of the name or value: the characters, with quotes. */
  readonly from: number;
  readonly to: number;
}

interface Level {
  readonly open: string;
  readonly said: Map<string, string>;
  name: string;
  index: number;
  /** What comes next. */
  next: 'name' | 'colon' | 'value' | 'comma';
}

// a string ends at the end of its line at the latest
const TOKEN = /"(?:[^"\\\n]|\\.)*"?|[{}[\],:]|[^\s"{}[\],:]+/g;

/** What a string says; one that does not end says what is there. */
function unquoted(token: string): string {
  try {
    return JSON.parse(token);
  } catch {
    return token.replace(/^"|"$/g, '');
  }
}

const levelOf = (open: string): Level => ({
  open,
  said: new Map(),
  name: '',
  index: 0,
  next: open === '{' ? 'name' : 'value',
});

/** Goes over one token. */
function pass(levels: Level[], token: string): void {
  const level = levels.at(-1);
  if (token === '{' || token === '[') {
    levels.push(levelOf(token));
    return;
  }
  if (token === '}' || token === ']') {
    levels.pop();
    const outer = levels.at(-1);
    if (outer) outer.next = 'comma';
    return;
  }
  if (!level) return;
  if (token === ',') {
    if (level.open === '[') level.index++;
    level.next = level.open === '{' ? 'name' : 'value';
  } else if (token === ':') {
    if (level.next === 'colon') level.next = 'value';
  } else if (level.next === 'name') {
    level.name = unquoted(token);
    level.said.set(level.name, '');
    level.next = 'colon';
  } else if (level.next === 'value') {
    level.said.set(level.name, token);
    level.next = 'comma';
  }
}

/** @returns null where neither a name nor a value of an object or array can stand */
export function contextAt(text: string, at: number): Context | null {
  const levels: Level[] = [];
  let token: { from: number; to: number } | null = null;
  let behind = text.length;
  TOKEN.lastIndex = 0;
  for (let match = TOKEN.exec(text); match; match = TOKEN.exec(text)) {
    const [found] = match;
    const from = match.index;
    const to = from + found.length;
    behind = from;
    if (from >= at) break;
    const ended = found.length > 1 && found[0] === '"' && found.endsWith('"');
    const single = /^[{}[\],:]$/.test(found);
    if (!single && at <= to && !(ended && at === to)) {
      token = { from, to };
      behind = to;
      break;
    }
    pass(levels, found);
    behind = text.length;
  }
  const level = levels.at(-1);
  if (!level || (level.next !== 'name' && level.next !== 'value')) return null;
  const expects = level.next;
  const { name } = level;
  const path = levels.slice(0, -1).map((one) => (one.open === '{' ? one.name : one.index));
  // what the object says behind
  const said = new Map(level.said);
  if (level.open === '{') {
    const rest: Level[] = [{ ...levelOf('{'), next: 'comma' }];
    TOKEN.lastIndex = behind;
    for (let match = TOKEN.exec(text); match && rest.length > 0; match = TOKEN.exec(text)) {
      const [object] = rest;
      pass(rest, match[0]);
      for (const [key, value] of object.said) if (key !== '') said.set(key, value);
    }
  }
  return {
    path,
    expects,
    name: level.open === '{' ? name : '',
    said,
    ...(token ?? { from: at, to: at }),
  };
}
