/**
 * A key of everything that can be reached from an object: two states with the same key are alike, down
 * to which objects are the same. (Different ones have the same key with a chance of 2^-64.)
 */

type Fields = Record<string, unknown>;

/** By buffer: as words. */
const words = new WeakMap<ArrayBufferLike, Int32Array | Uint8Array>();

function wordsOf(buffer: ArrayBufferLike): Int32Array | Uint8Array {
  let view = words.get(buffer);
  if (!view) {
    view = buffer.byteLength % 4 === 0 ? new Int32Array(buffer) : new Uint8Array(buffer);
    words.set(buffer, view);
  }
  return view;
}

class Keying {
  private a = 0x1b873593;
  private b = 0x7feb352d;
  private readonly seen = new Map<object, number>();

  /** @param numbers where numbers are put, which then are no part of the key */
  constructor(
    without: Iterable<object>,
    private readonly numbers: number[] | null = null,
  ) {
    for (const object of without) this.seen.set(object, -1);
  }

  private mix(n: number): void {
    this.a = Math.imul(this.a ^ n, 0x9e3779b1);
    this.a ^= this.a >>> 15;
    this.b = Math.imul(this.b ^ n, 0x85ebca6b);
    this.b ^= this.b >>> 13;
  }

  private array(view: Int32Array | Uint8Array): void {
    let { a, b } = this;
    for (let i = 0; i < view.length; i++) {
      const n = view[i];
      if (n === 0) continue;
      // where it is, too: zeros are left out
      a = Math.imul(a ^ n, 0x9e3779b1) ^ i;
      a ^= a >>> 15;
      b = Math.imul(b ^ n, 0x85ebca6b) + i;
      b ^= b >>> 13;
    }
    this.a = a;
    this.b = b;
  }

  private text(text: string): void {
    this.mix(text.length);
    for (let i = 0; i < text.length; i++) this.mix(text.charCodeAt(i));
  }

  visit(value: unknown): void {
    switch (typeof value) {
      case 'number':
        if (this.numbers !== null) {
          this.numbers.push(value);
          return;
        }
        this.mix(value | 0);
        if ((value | 0) !== value) this.mix((value / 2 ** 32) | 0);
        return;
      case 'string':
        this.text(value);
        return;
      case 'boolean':
        this.mix(value ? 11 : 12);
        return;
      case 'object':
        if (value === null) this.mix(13);
        else this.object(value);
        return;
      default:
        // functions are shared by all states
        this.mix(14);
    }
  }

  private object(object: object): void {
    const { seen } = this;
    const known = seen.get(object);
    if (known !== undefined) {
      this.mix(known);
      return;
    }
    seen.set(object, seen.size);
    if (ArrayBuffer.isView(object)) this.visit(object.buffer);
    else if (object instanceof ArrayBuffer) this.array(wordsOf(object));
    else if (Array.isArray(object)) {
      this.mix(object.length);
      for (const item of object) this.visit(item);
    } else if (object instanceof Map) {
      this.mix(object.size);
      for (const [key, item] of object) {
        this.visit(key);
        this.visit(item);
      }
    } else if (object instanceof Set) {
      this.mix(object.size);
      for (const item of object) this.visit(item);
    } else {
      for (const key in object) this.visit((object as Fields)[key]);
    }
  }

  get key(): string {
    return `${this.a}:${this.b}`;
  }
}

/**
 * @param without objects that do not count
 */
export function stateKey(parts: readonly unknown[], without: Iterable<object> = []): string {
  const keying = new Keying(without);
  for (const part of parts) keying.visit(part);
  return keying.key;
}

/** A state whose numbers are told apart from the rest. */
export interface StateShape {
  /** A key of all that is no number of its own; the bytes and words of memory are in it. */
  key: string;
  /** The numbers, in an order of their own. */
  numbers: number[];
}

/**
 * As `stateKey`, for states in which clocks go on.
 * @param without objects that do not count
 */
export function stateShape(parts: readonly unknown[], without: Iterable<object> = []): StateShape {
  const numbers: number[] = [];
  const keying = new Keying(without, numbers);
  for (const part of parts) keying.visit(part);
  return { key: keying.key, numbers };
}
