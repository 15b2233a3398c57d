/**
 * Arrays that grow. A state that is put back to its beginning grows the same way again, thousands of
 * times a second: what an array grew into is used again.
 */

type Growing = Int32Array | Int16Array | Uint8Array | Float64Array;

const grownInto = new WeakMap<Growing, Growing>();

/** A longer array with the same beginning, zeros after it. The old one must not be used any more. */
export function grow<T extends Growing>(old: T, length: number): T {
  const before = grownInto.get(old);
  if (before?.length === length) {
    before.set(old);
    before.fill(0, old.length);
    return before as T;
  }
  const next = new (old.constructor as new (length: number) => T)(length);
  next.set(old);
  grownInto.set(old, next);
  return next;
}
