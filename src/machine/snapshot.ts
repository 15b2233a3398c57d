/**
 * Snapshots of an object graph: what every object in it held. Restoring puts it back into the same
 * objects, so that whoever knows one of them still knows the right one. Functions are shared. A
 * snapshot can be taken whenever no task is in the middle of a modelled function (a suspended generator
 * cannot be copied).
 */

/** An object and how to put back what it held. */
type PutBack = () => void;

export interface Snapshot<T extends object> {
  /** What the snapshot was taken of. */
  readonly of: T;
  readonly putBack: readonly PutBack[];
}

type Fields = Record<string, unknown>;

/** Puts back a plain object or an instance of a class. */
function ofFields(object: Fields): PutBack {
  const keys = Object.keys(object);
  const values = keys.map((key) => object[key]);
  const prototype = Object.getPrototypeOf(object);
  const isClass = prototype !== Object.prototype && prototype !== null;
  return () => {
    for (let i = 0; i < keys.length; i++) {
      if (object[keys[i]] !== values[i]) object[keys[i]] = values[i];
    }
    // an instance of a class has the fields that it has
    if (isClass || Object.keys(object).length === keys.length) return;
    for (const key of Object.keys(object)) if (!keys.includes(key)) delete object[key];
  };
}

function ofArray(array: unknown[]): PutBack {
  const items = array.slice();
  return () => {
    array.length = items.length;
    for (let i = 0; i < items.length; i++) array[i] = items[i];
  };
}

function ofMap(map: Map<unknown, unknown>): PutBack {
  const items = [...map];
  return () => {
    if (map.size === 0 && items.length === 0) return;
    map.clear();
    for (const [key, value] of items) map.set(key, value);
  };
}

function ofSet(set: Set<unknown>): PutBack {
  const items = [...set];
  return () => {
    if (set.size === 0 && items.length === 0) return;
    set.clear();
    for (const item of items) set.add(item);
  };
}

/** The whole buffer, once for all views of it. */
function ofBuffer(buffer: ArrayBuffer): PutBack {
  const bytes = new Uint8Array(buffer);
  const saved = bytes.slice();
  return () => bytes.set(saved);
}

/** Notes what everything that can be reached from `state` holds. */
export function snapshot<T extends object>(state: T): Snapshot<T> {
  const seen = new Set<object>();
  const putBack: PutBack[] = [];
  const left: unknown[] = [state];
  while (left.length > 0) {
    const value = left.pop();
    if (typeof value !== 'object' || value === null || seen.has(value)) continue;
    seen.add(value);
    if (ArrayBuffer.isView(value)) left.push(value.buffer);
    else if (value instanceof ArrayBuffer) putBack.push(ofBuffer(value));
    else if (Array.isArray(value)) {
      putBack.push(ofArray(value));
      left.push(...value);
    } else if (value instanceof Map) {
      putBack.push(ofMap(value));
      for (const [key, item] of value) left.push(key, item);
    } else if (value instanceof Set) {
      putBack.push(ofSet(value));
      left.push(...value);
    } else {
      putBack.push(ofFields(value as Fields));
      for (const key of Object.keys(value)) left.push((value as Fields)[key]);
    }
  }
  return { of: state, putBack };
}

/** Puts everything back to what it was when the snapshot was taken; as often as one likes. */
export function restore<T extends object>(saved: Snapshot<T>): void {
  for (const putBack of saved.putBack) putBack();
}
