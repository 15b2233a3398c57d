/**
 * The order in which locks are taken, as the kernel's lockdep looks at it: a task that waits for a lock
 * of one kind while it holds one of another has taken them in that order. When a later task, in this
 * schedule or in another one, takes them the other way round, they may wait for each other one day.
 *
 * Two locks of one kind (two page tables, two folios) are told apart; that they were taken in both orders
 * is a finding unless a third lock, held by both, keeps the tasks apart.
 */
import type { Finding, Lock, Machine, Taking } from '../../machine/index.ts';
import { innermostStack } from '../../machine/internal.ts';

/** Kinds of locks, which are few. */
const MOST = 128;

/** Numbers of kinds by name, for every search alike: locks remember theirs. */
const numbers = new Map<string, number>();
const names: string[] = [''];

function kindOf(name: string): number {
  let kind = numbers.get(name);
  if (kind === undefined) {
    kind = names.length;
    if (kind >= MOST) throw new Error('too many kinds of locks');
    names.push(name);
    numbers.set(name, kind);
  }
  return kind;
}

/** The kind of a lock, by its name without numbers. */
export function lockKind(lock: Lock): string {
  return lock.name.replace(/ \d+\b/g, '');
}

export const FOLIO_LOCK = 'folio lock';

/**
 * What lockdep calls it while notifiers are told of an invalidation: the locks that they take are taken while this
 * is held.
 */
export const NOTIFYING = 'mmu_notifier_invalidate_range_start';

/** What lockdep calls it when pages are taken back because an allocation waits for memory. */
export const RECLAIM = 'fs_reclaim';

/** Functions of an order that are told. */
const TOLD = 4;

/** What a task holds. */
interface Held {
  readonly kinds: number[];
  /** Which one: a number of all that can be held. */
  readonly ids: number[];
  /** 1 for those that exclude all others. */
  readonly alone: number[];
}

/** A lock that was waited for while another was held. */
export interface LockPair {
  readonly held: string;
  readonly taken: string;
  /** The innermost modelled functions, from the innermost outwards. */
  readonly stack: readonly string[];
}

/** Which kinds of locks are taken while which are held. */
export class OrderGraph<P extends LockPair = LockPair> {
  /** By what is held: by what is taken meanwhile. */
  private readonly pairs = new Map<string, Map<string, P>>();

  /** Every pair; added to another graph in this order they make the same one. */
  get all(): P[] {
    return [...this.pairs.values()].flatMap((after) => [...after.values()]);
  }

  /** @returns the circle that this pair closes; null: none, or it is known */
  add(pair: P): { title: string; detail: string } | null {
    const { held, taken } = pair;
    const after = this.pairs.get(held) ?? new Map<string, P>();
    if (after.has(taken)) return null;
    this.pairs.set(held, after.set(taken, pair));
    const way = this.way(taken, held);
    if (way === null) return null;
    const circle = [held, ...way];
    const links = way.map((to, i) => this.link(circle[i], to));
    // a circle begins anywhere: with the name that comes first
    const first = way.indexOf([...way].sort()[0]);
    const turned = [...way.slice(first), ...way.slice(0, first), way[first]];
    const title = `locks are taken in a circle: ${turned.join(', ')}`;
    return { title, detail: links.join('; ') };
  }

  private link(held: string, taken: string): string {
    const stack = this.pairs.get(held)?.get(taken)?.stack ?? [];
    return `${taken} while holding ${held} in ${stack.slice(0, TOLD).join(' < ')}`;
  }

  /** The kinds on the shortest way from one to another, both ends included; null: there is none. */
  private way(from: string, to: string): string[] | null {
    const via = new Map<string, string | null>([[from, null]]);
    for (const at of via.keys()) {
      if (at === to) {
        const way: string[] = [];
        for (let kind: string | null = to; kind !== null; kind = via.get(kind) ?? null) {
          way.unshift(kind);
        }
        return way;
      }
      for (const next of this.pairs.get(at)?.keys() ?? []) if (!via.has(next)) via.set(next, at);
    }
    return null;
  }
}

/** How two locks of one kind came to be taken one after the other. */
interface Edge {
  /** The modelled functions, innermost first. */
  stack: string[];
}

interface Pair {
  /** Held besides: twice the lock's number, plus 1 when held alone. */
  gates: number[];
  edge: Edge;
}

/** Numbers of what is held: locks have theirs, folios and others follow after them. */
const folioId = (folio: number): number => 2 ** 23 + folio;
const otherId = (kind: number): number => 2 ** 24 + kind;
const pairKey = (first: number, second: number): number => first * 2 ** 26 + second;

export class LockOrder {
  private readonly held: Held[] = [];
  private readonly seen = new Uint8Array(MOST * MOST);
  private graph = new OrderGraph();
  private fresh: LockPair[] = [];
  /** Of this schedule: two locks of one kind, in this order. */
  private readonly pairs = new Map<number, Pair>();
  /** Of all schedules: where such a pair was taken. */
  private readonly places = new Map<number, Edge>();
  private readonly folioKind = kindOf(FOLIO_LOCK);
  /** Which circles are told; null: all. */
  private isSought: ((finding: Finding) => boolean) | null = null;

  constructor(private readonly k: Machine) {}

  /** From here on each schedule is looked at alone, for some circles. */
  seek(isSought: (finding: Finding) => boolean): void {
    this.isSought = isSought;
  }

  /** Before each schedule: nobody holds anything. What was learnt stays, unless something is sought. */
  reset(): void {
    for (const { kinds, ids, alone } of this.held) {
      kinds.length = 0;
      ids.length = 0;
      alone.length = 0;
    }
    this.pairs.clear();
    if (this.isSought === null) return;
    this.places.clear();
    this.seen.fill(0);
    this.graph = new OrderGraph();
  }

  private of(task: number): Held {
    while (this.held.length <= task) this.held.push({ kinds: [], ids: [], alone: [] });
    return this.held[task];
  }

  lock(lock: Lock, taking: Taking): void {
    if (lock.kind === 0) lock.kind = kindOf(lockKind(lock));
    if (taking === 'shares' && lock.readers.includes(this.k.current)) {
      this.say('lock', `${lockKind(lock)} is taken for reading by a task that has it already`);
    }
    this.take(lock.kind, lock.id, taking);
  }

  lockFolio(folio: number, taking: Taking): void {
    this.take(this.folioKind, folioId(folio), taking);
  }

  unlock(lock: Lock): void {
    this.drop(lock.id);
  }

  unlockFolio(folio: number): void {
    this.drop(folioId(folio));
  }

  /** The current task has begun something that others may wait for. */
  begin(what: string): void {
    this.take(kindOf(what), otherId(kindOf(what)), 'tries');
  }

  end(what: string): void {
    this.drop(otherId(kindOf(what)));
  }

  /** The current task begins something that it must not begin while it holds what is taken meanwhile. */
  beginAfterWait(what: string): void {
    this.take(kindOf(what), otherId(kindOf(what)), 'waits');
  }

  /**
   * The current task allocates, and may have to take pages of any process to get memory: their notifiers are told. It
   * need not come to that here (mm/page_alloc.c fs_reclaim_acquire()).
   */
  alloc(): void {
    const [reclaim, notifying] = [kindOf(RECLAIM), kindOf(NOTIFYING)];
    if (this.seen[reclaim * MOST + notifying] === 0) this.learn(reclaim, notifying);
    this.follow(reclaim, 0);
  }

  /** The current task waits for others to end what they do. */
  wait(what: string): void {
    this.follow(kindOf(what), 0);
  }

  /** The current task waits until a folio is unlocked. */
  waitFolio(folio: number): void {
    this.follow(this.folioKind, folioId(folio));
  }

  /** What a task holds, in words. */
  holds(task: number): string[] {
    return this.of(task).kinds.map((kind) => names[kind]);
  }

  private take(kind: number, id: number, taking: Taking): void {
    if (taking !== 'tries') this.follow(kind, id);
    const held = this.of(this.k.current.id);
    held.kinds.push(kind);
    held.ids.push(id);
    held.alone.push(taking === 'shares' ? 0 : 1);
  }

  private drop(id: number): void {
    // a folio may be unlocked by a task that did not lock it
    const own = this.of(this.k.current.id);
    if (own.ids[own.ids.length - 1] === id) {
      own.kinds.pop();
      own.ids.pop();
      own.alone.pop();
      return;
    }
    const holder = own.ids.includes(id) ? own : this.held.find(({ ids }) => ids.includes(id));
    if (!holder) return;
    const at = holder.ids.lastIndexOf(id);
    holder.kinds.splice(at, 1);
    holder.ids.splice(at, 1);
    holder.alone.splice(at, 1);
  }

  /** A lock is waited for while others are held. */
  private follow(kind: number, id: number): void {
    const { kinds, ids } = this.of(this.k.current.id);
    for (let i = 0; i < kinds.length; i++) {
      const before = kinds[i];
      if (before === kind) {
        if (ids[i] !== id && id !== 0) this.pair(ids[i], id, kind);
      } else if (this.seen[before * MOST + kind] === 0) this.learn(before, kind);
    }
  }

  private learn(before: number, kind: number): void {
    this.seen[before * MOST + kind] = 1;
    const order = { held: names[before], taken: names[kind], stack: innermostStack(TOLD) };
    this.fresh.push(order);
    const circle = this.graph.add(order);
    if (!circle) return;
    this.say('lock order', circle.title, circle.detail);
    const { findings } = this.k;
    if (this.isSought?.(findings[findings.length - 1]) === false) findings.pop();
  }

  /** The orders that were seen since this was asked last, for the first time. */
  learnt(): readonly LockPair[] {
    const { fresh } = this;
    if (fresh.length > 0) this.fresh = [];
    return fresh;
  }

  // ---- two of one kind ----

  private gates(): number[] {
    const { ids, alone } = this.of(this.k.current.id);
    return ids.map((id, i) => id * 2 + alone[i]);
  }

  private pair(first: number, second: number, kind: number): void {
    const key = pairKey(first, second);
    if (this.pairs.has(key)) return;
    let edge = this.places.get(key);
    if (!edge) {
      edge = { stack: innermostStack(TOLD) };
      this.places.set(key, edge);
    }
    const gates = this.gates();
    this.pairs.set(key, { gates, edge });
    const other = this.pairs.get(pairKey(second, first));
    if (!other) return;
    for (const gate of gates) {
      const id = gate >> 1;
      if (id === first || id === second) continue;
      if (other.gates.some((g) => g >> 1 === id && (g | gate) & 1)) return;
    }
    const ways = [other.edge, edge].map(({ stack }) => stack.slice(0, TOLD).join(' < '));
    const title = `two locks of one kind are taken in both orders: ${names[kind]}`;
    this.say('lock order', title, ways.join('; '));
  }

  private forget(gone: (id: number) => boolean): void {
    for (const key of this.pairs.keys()) {
      const second = key % 2 ** 26;
      if (gone(second) || gone((key - second) / 2 ** 26)) this.pairs.delete(key);
    }
  }

  /** A table is free: what comes in its place is another one. */
  tableGone(table: number): void {
    if (this.pairs.size > 0) this.forget((id) => id === table);
  }

  foliosGone(pfn: number, pages: number): void {
    if (this.pairs.size === 0) return;
    const [from, to] = [folioId(pfn), folioId(pfn + pages)];
    this.forget((id) => id >= from && id < to);
  }

  private say(invariant: string, title: string, detail?: string): void {
    this.k.report(invariant, title);
    if (detail) this.k.findings[this.k.findings.length - 1].detail = detail;
  }
}
