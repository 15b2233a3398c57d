/** What is otherwise from one moment to the next, in words. */
import { type Item, itemsOf, type StateView } from '../program/internal.ts';

/** One field of one thing has changed; or the thing came, or went. */
export interface ItemChange {
  /** The item's key. */
  readonly key: string;
  /** What the item is called. */
  readonly object: string;
  /** The field in words; empty: the whole thing came or went. */
  readonly field: string;
  /** What it was; empty: it was not there. */
  readonly from: string;
  readonly to: string;
  /** All of it as a sentence. */
  readonly text: string;
}

/** Fields that a reader knows by another name. */
const WORDS: Record<string, string> = {
  anonPages: 'anonymous pages',
  filePages: 'file pages',
  hugetlbPages: 'hugetlb pages',
  invalidations: 'invalidations under way',
  pfn: 'page of memory',
  refcount: 'references',
  holders: 'holders',
  mapcount: 'mappings',
  lockedBy: 'locked by',
  word: 'first word',
  devicePages: 'pages in use',
  failNext: 'next allocation fails',
  order: 'order',
  used: 'entries in use',
  end: 'end',
};

/** Fields that only say again what others say, or tell one item from another. */
const SILENT = new Set(['key', 'name', 'place', 'value', 'ptep', 'table', 'first']);

function show(value: unknown): string {
  if (value === null) return 'unknown';
  if (Array.isArray(value)) return value.length === 0 ? 'none' : value.join(', ');
  if (typeof value === 'object') {
    const parts = Object.entries(value as object).map(([name, n]) => `${name} ${n}`);
    return parts.length === 0 ? 'nobody' : parts.join(', ');
  }
  if (typeof value === 'boolean') return value ? 'yes' : 'no';
  return value === '' ? 'nobody' : String(value);
}

/** The whole of an item in a few words. */
function summary(item: Item): string {
  const said = [
    'kind',
    'right',
    'level',
    'bits',
    'flags',
    'writable',
    'pfn',
    'refcount',
    'owner',
    'readers',
  ];
  const fields = item as unknown as Record<string, unknown>;
  const parts: string[] = [];
  for (const field of said) {
    const value = fields[field];
    if (value === undefined || value === '' || (Array.isArray(value) && value.length === 0))
      continue;
    if (field === 'pfn') {
      if (!item.key.startsWith('frame')) parts.push(`page ${value}`);
    } else if (field === 'writable') parts.push(value ? 'writable' : 'read-only');
    else if (field === 'refcount') parts.push(`references ${value}`);
    else if (field === 'owner') parts.push(`by ${value}`);
    else if (field === 'readers') parts.push(`shared by ${show(value)}`);
    else parts.push(show(value));
  }
  return parts.join(', ') || 'there';
}

/** How what comes and goes does so. */
function verbs({ key }: Item): [comes: string, goes: string] {
  if (key.startsWith('lock')) return ['is taken', 'is free again'];
  if (key.startsWith('frame')) return ['is allocated', 'is freed'];
  if (key.startsWith('tlb')) return ['is cached', 'is flushed'];
  if (/^(entry|device)/.test(key)) return ['is filled', 'is cleared'];
  return ['is made', 'is gone'];
}

const sentence = (text: string): string => text[0].toUpperCase() + text.slice(1);

/** What is otherwise in an item that is there before and after. */
function fieldChanges(a: Item, b: Item): ItemChange[] {
  const before = a as unknown as Record<string, unknown>;
  const after = b as unknown as Record<string, unknown>;
  const changes: ItemChange[] = [];
  const tell = (field: string): void => {
    const from = before[field];
    const to = after[field];
    if (from === to) return;
    if (typeof from === 'object' && JSON.stringify(from) === JSON.stringify(to)) return;
    const words = WORDS[field] ?? field;
    const [was, is] = [show(from), show(to)];
    const text = `${sentence(b.name)}: ${words} ${was} → ${is}`;
    changes.push({ key: b.key, object: b.name, field: words, from: was, to: is, text });
  };
  for (const field of Object.keys(after)) if (!SILENT.has(field)) tell(field);
  // what only the silent fields tell: a table came to another place
  if (changes.length === 0) for (const field of SILENT) tell(field);
  return changes;
}

/** What is otherwise in one item; undefined: it is not there. */
export function itemChanges(was: Item | undefined, is: Item | undefined): ItemChange[] {
  if (was && is) return fieldChanges(was, is);
  const item = was ?? is;
  if (!item) return [];
  const from = was ? summary(was) : '';
  const to = is ? summary(is) : '';
  const [comes, goes] = verbs(item);
  const text = `${sentence(item.name)} ${is ? `${comes}: ${to}` : goes}`;
  return [{ key: item.key, object: item.name, field: '', from, to, text }];
}

/** What is otherwise in `after`: empty exactly where both views are equal. */
export function whatChanged(before: StateView, after: StateView): ItemChange[] {
  const old = itemsOf(before);
  const now = itemsOf(after);
  const changes: ItemChange[] = [];
  for (const [key, item] of now) changes.push(...itemChanges(old.get(key), item));
  for (const [key, item] of old) {
    if (!now.has(key)) changes.push(...itemChanges(item, undefined));
  }
  return changes;
}
