/**
 * Snapshots: a deep copy of an object graph that keeps identity, cycles, prototypes and typed
 * arrays. Functions are shared. A snapshot can be taken whenever no task is in the middle of a
 * modelled function (a suspended generator cannot be copied).
 */
export interface Snapshot<T extends object> {
  readonly state: T;
}

function cloneInto(value: unknown, seen: Map<object, object>): unknown {
  if (typeof value !== 'object' || value === null) return value;
  const known = seen.get(value);
  if (known !== undefined) return known;
  if (ArrayBuffer.isView(value)) {
    // a view of a whole buffer keeps sharing it with its other views
    const view = value as Uint8Array;
    const buffer = cloneInto(view.buffer, seen) as ArrayBuffer;
    const ctor = view.constructor as new (b: ArrayBuffer, o: number, n: number) => object;
    const copy = new ctor(buffer, view.byteOffset, view.length);
    seen.set(value, copy);
    return copy;
  }
  if (value instanceof ArrayBuffer) {
    const copy = value.slice(0);
    seen.set(value, copy);
    return copy;
  }
  if (Array.isArray(value)) {
    const copy: unknown[] = [];
    seen.set(value, copy);
    for (const item of value) copy.push(cloneInto(item, seen));
    return copy;
  }
  if (value instanceof Map) {
    const copy = new Map();
    seen.set(value, copy);
    for (const [k, v] of value) copy.set(cloneInto(k, seen), cloneInto(v, seen));
    return copy;
  }
  if (value instanceof Set) {
    const copy = new Set();
    seen.set(value, copy);
    for (const v of value) copy.add(cloneInto(v, seen));
    return copy;
  }
  const copy = Object.create(Object.getPrototypeOf(value)) as Record<string, unknown>;
  seen.set(value, copy);
  for (const key of Object.keys(value)) {
    copy[key] = cloneInto((value as Record<string, unknown>)[key], seen);
  }
  return copy;
}

/** A copy of `state` that later changes do not reach. */
export function snapshot<T extends object>(state: T): Snapshot<T> {
  return { state: cloneInto(state, new Map()) as T };
}

/**
 * Puts `target` back to what it was when the snapshot was taken. Objects inside `target` are new
 * ones afterwards; the snapshot can be restored again.
 */
export function restore<T extends object>(target: T, saved: Snapshot<T>): void {
  const seen = new Map<object, object>([[saved.state, target]]);
  for (const key of Object.keys(saved.state)) {
    (target as Record<string, unknown>)[key] = cloneInto(
      (saved.state as Record<string, unknown>)[key],
      seen,
    );
  }
}
