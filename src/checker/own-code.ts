/**
 * What the code of a module does that has scenarios: it was instrumented when it was loaded
 * (`src/cli/instrument.ts`), and tells here which generators it makes, which results it leaves alone and which
 * fields it reads and writes. Each function gives back what it was given.
 */

import { Step } from '../machine/index.ts';

/** Listens to instrumented code. `place` is a file and a line. */
export interface OwnCodeListener {
  /** A call gave a generator. @param dropped whether nobody can run it: the call is a statement, or a condition */
  made(generator: Generator, name: string, place: string, dropped: boolean): void;
  /** A call made a step, and nobody yields it. */
  unyielded(name: string, place: string): void;
  /** What a call came to. @param ignored whether it is used for nothing */
  result(result: unknown, name: string, place: string, ignored: boolean): void;
  /** @param taken whether it is taken out of the object into a variable */
  read(object: object, key: PropertyKey, place: string, taken?: boolean): void;
  write(object: object, key: PropertyKey, place: string): void;
}

let listener: OwnCodeListener | null = null;

/** From here on this one listens. */
export function listen(to: OwnCodeListener | null): void {
  listener = to;
}

const files = new Set<string>();

/** Says that a file was instrumented: columns in it are not those of its source. */
export function instrumented(url: string): void {
  files.add(url.replace(/^file:\/\//, ''));
}

/** Whether a file was instrumented. */
export function isInstrumented(file: string): boolean {
  return files.has(file);
}

/** What all generators inherit from. */
export const GENERATOR = Object.getPrototypeOf(
  Object.getPrototypeOf((function* () {})()),
) as Generator;

/** What becomes of what a call gave: it is used, or it is only looked at what number it is, or left alone. */
type Use = 'used' | 'tested' | 'ignored';

/** What a call gave. */
export function made<T>(value: T, name: string, place: string, use: Use): T {
  if (listener === null) return value;
  if (typeof value === 'object' && value !== null) {
    if (Object.prototype.isPrototypeOf.call(GENERATOR, value)) {
      listener.made(value as unknown as Generator, name, place, use !== 'used');
    } else if (use === 'ignored' && value instanceof Step) listener.unyielded(name, place);
  } else if (use === 'ignored') listener.result(value, name, place, true);
  return value;
}

/** What a generator that was run at once came to. */
export function result<T>(value: T, name: string, place: string, use: Use): T {
  listener?.result(value, name, place, use === 'ignored');
  return value;
}

/** All that an array, a map or a set has: whoever changes it as a whole changes this. */
export const ITEMS = '(items)';
const isCollection = (value: unknown): value is object =>
  Array.isArray(value) || value instanceof Map || value instanceof Set;

/** The object of `object.key`, which is read. */
export function r<T>(object: T, key: string, place: string): T {
  if (listener === null || typeof object !== 'object' || object === null) return object;
  const all = isCollection(object) && (key === 'length' || key === 'size');
  listener.read(object, all ? ITEMS : key, place);
  return object;
}

/** The object of `object.key`, which is about to be written. */
export function w<T>(object: T, key: string, place: string): T {
  if (listener !== null && typeof object === 'object' && object !== null) {
    listener.write(object, key, place);
  }
  return object;
}

/** The value that is about to be written to `object.key`. */
export function set<T>(value: T, object: unknown, key: string, place: string): T {
  w(object, key, place);
  return value;
}

/** The key of `object[key]`, which is read. */
export function item<T extends PropertyKey>(object: unknown, key: T, place: string): T {
  if (listener === null || typeof object !== 'object' || object === null) return key;
  if (isCollection(object)) listener.read(object, ITEMS, place);
  listener.read(object, typeof key === 'number' ? String(key) : key, place);
  return key;
}

/** The key of `object[key]`, which is about to be written. */
export function put<T extends PropertyKey>(object: unknown, key: T, place: string): T {
  if (listener === null || typeof object !== 'object' || object === null) return key;
  if (isCollection(object)) listener.read(object, ITEMS, place);
  listener.write(object, typeof key === 'number' ? String(key) : key, place);
  return key;
}

/** What changes an array, a map or a set. */
const CHANGE = new Set(
  'push pop shift unshift splice sort reverse fill copyWithin add set delete clear'.split(' '),
);

/** The object whose method is about to be called. */
export function call<T>(object: T, method: string, place: string): T {
  if (listener === null || !isCollection(object)) return object;
  if (CHANGE.has(method)) listener.write(object, ITEMS, place);
  else listener.read(object, ITEMS, place);
  return object;
}

/** What is gone through. */
export function items<T>(value: T, place: string): T {
  if (listener !== null && isCollection(value)) listener.read(value, ITEMS, place);
  return value;
}

/** What is taken apart. */
export function fields<T>(object: T, keys: readonly string[], place: string): T {
  if (listener === null || typeof object !== 'object' || object === null) return object;
  for (const key of keys) listener.read(object, key, place, true);
  return object;
}
