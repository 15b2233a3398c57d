/** Where the parts of a JSON text are, as far as it is JSON; it may have comments. `readText()` says what they hold. */

export interface JsonPart {
  readonly kind: 'object' | 'array' | 'other';
  /** Characters of the text; `to` is behind the last. */
  readonly from: number;
  to: number;
  /** By name, in the order of the text; the last of those of the same name counts. */
  readonly members: { readonly name: string; readonly from: number; readonly part: JsonPart }[];
  readonly items: JsonPart[];
}

export interface Scanned {
  readonly root: JsonPart | null;
  /** The first character that has no place in JSON; -1: there is none. */
  readonly error: number;
}

/** Thrown where the text is no JSON any more. */
class Stop {
  constructor(readonly at: number) {}
}

const STRING = /"(?:[ !#-[\]-\u{10ffff}]|\\(?:["\\/bfnrt]|u[\da-fA-F]{4}))*"/uy;
const OTHER = /-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?|true|false|null/y;
/** Blanks and comments. */
const BLANKS = /(?:[ \t\r\n]|\/\/[^\n]*|\/\*[\s\S]*?\*\/)*/y;

export function scan(text: string): Scanned {
  let at = 0;
  let root: JsonPart | null = null;
  const match = (pattern: RegExp): string | null => {
    pattern.lastIndex = at;
    const found = pattern.exec(text)?.[0] ?? null;
    if (found !== null) at += found.length;
    return found;
  };
  const need = (what: string): void => {
    match(BLANKS);
    if (text[at] !== what) throw new Stop(at);
    at++;
  };
  /** Whether the next character is this one; then it is behind us. */
  const take = (what: string): boolean => {
    match(BLANKS);
    if (text[at] !== what) return false;
    at++;
    return true;
  };
  const value = (put: (part: JsonPart) => void): void => {
    match(BLANKS);
    const from = at;
    const open = text[at];
    const kind = open === '{' ? 'object' : open === '[' ? 'array' : 'other';
    const part: JsonPart = { kind, from, to: text.length, members: [], items: [] };
    put(part);
    if (kind === 'other') {
      if (match(open === '"' ? STRING : OTHER) === null) throw new Stop(at);
    } else {
      at++;
      const close = kind === 'object' ? '}' : ']';
      for (let first = true; !take(close); first = false) {
        if (!first) {
          need(',');
          // one may be too many
          if (take(close)) break;
        }
        match(BLANKS);
        if (kind === 'array') {
          value((item) => part.items.push(item));
          continue;
        }
        const named = at;
        const name = match(STRING);
        if (name === null) throw new Stop(at);
        need(':');
        value((member) => part.members.push({ name: JSON.parse(name), from: named, part: member }));
      }
    }
    part.to = at;
  };
  try {
    value((part) => {
      root = part;
    });
    match(BLANKS);
    return { root, error: at < text.length ? at : -1 };
  } catch (stop) {
    if (stop instanceof Stop) return { root, error: stop.at };
    throw stop;
  }
}

export type Path = readonly (string | number)[];

/**
 * The characters of what a path leads to: a member with its name, an item alone. Where the path leads to
 * nothing, those of the innermost part that is there.
 */
export function locate(root: JsonPart, path: Path): { from: number; to: number } {
  let part = root;
  let range = { from: root.from, to: root.to };
  for (const name of path) {
    if (typeof name === 'number') {
      const item = part.items[name];
      if (!item) break;
      part = item;
      range = { from: item.from, to: item.to };
    } else {
      const member = part.members.findLast((one) => one.name === name);
      if (!member) break;
      part = member.part;
      range = { from: member.from, to: member.part.to };
    }
  }
  return range;
}
