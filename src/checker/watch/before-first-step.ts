/**
 * Before its first step a task looks at nothing that others change: what it sees there is what was there in the
 * beginning, whoever goes first, and no order of steps makes a difference to that. A task starts alike in every
 * schedule, so that it is looked at once.
 */
import { watchesOnly } from '../../machine/internal.ts';
import type { Kernel } from '../../mm/index.ts';

type Fields = Record<string, unknown>;

/** An array whose every item that is read or written is told. */
function told(array: object, tell: () => void): object {
  const isItem = (key: string | symbol): boolean => typeof key === 'string' && /^\d+$/.test(key);
  return new Proxy(array, {
    get: function watchedRead(target, key) {
      if (isItem(key)) tell();
      const value: unknown = Reflect.get(target, key, target);
      return typeof value === 'function' ? value.bind(target) : value;
    },
    set: function watchedWrite(target, key, value) {
      if (isItem(key)) tell();
      return Reflect.set(target, key, value, target);
    },
  });
}
watchesOnly(['watchedRead', 'watchedWrite', 'watchedTable']);

/** What of a device's page table is looked at. */
const LOOKS = ['load', 'store', 'storeRun', 'erase', 'eraseRange', 'entries'];

/**
 * Lets a machine tell of each look at a page, at an entry of a page table or of a device's. A snapshot puts everything
 * back.
 * @returns undoes it for what no snapshot knows
 */
export function tellLooks(k: Kernel): () => void {
  const tell = (what: string) => (): void => {
    k.report('unnamed step', `looks at ${what} before its first step`);
  };
  const pages = k.pages as unknown as Fields;
  for (const [name, value] of Object.entries(pages)) {
    if (ArrayBuffer.isView(value)) pages[name] = told(value, tell('a page'));
  }
  k.tables.entries = told(k.tables.entries, tell('a page-table entry')) as Int32Array;
  const tables = k.deviceViews.map(({ table }) => table as unknown as Fields);
  const tellTable = tell("a device's page table");
  for (const table of tables) {
    for (const name of LOOKS) {
      const look = table[name];
      if (typeof look !== 'function') continue;
      table[name] = function watchedTable(...args: unknown[]): unknown {
        tellTable();
        return look.apply(table, args);
      };
    }
  }
  return () => {
    for (const table of tables) for (const name of LOOKS) delete table[name];
  };
}
