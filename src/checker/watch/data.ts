/**
 * What a read may return. Every page of memory that a process can reach has a place here; a place knows
 * which values its first word may have: the latest write, or, while or after an operation that takes
 * pages away, what comes instead. A copy that a fork makes has any value that the original had while the
 * fork was under way.
 *
 * Reads and writes come from the machine, as they happen; operations that change what a place is are
 * told by whoever performs them, when they begin and when they end.
 */
import { PG_HUGETLB, PG_SWAPBACKED } from '../../machine/index.ts';
import {
  type AddressSpace,
  type Kernel,
  type Mm,
  VM_SHARED,
  VM_WRITE,
  type Vma,
} from '../../mm/index.ts';
import {
  hugeStart,
  isVmHugetlbPage,
  leafPfn,
  leavesOf,
  pagePgmap,
  VM_ACCESS_FLAGS,
  VM_MIXEDMAP,
} from '../../mm/internal.ts';
import { LookKind } from '../footprint.ts';
import { Looks } from './looks.ts';
import {
  add,
  type Initial,
  keyOf,
  type MemoryChange,
  type MemoryPlace,
  type PendingChange,
  POISONED,
  SPACE_PAGES,
  Store,
  wordOf,
} from './memory-place.ts';
import { pageWords } from './names.ts';
import { Shadows } from './shadows.ts';

/** What has to do with bits alone, of which each page's own accesses tell. */
const NO_DATA: ReadonlySet<MemoryChange> = new Set(['age', 'unshare']);

/** Knows which words each page may have, and looks at what is read. */
export class DataOracle {
  private readonly places = new Map<number, MemoryPlace>();
  /** Of files, by place in the file. */
  private readonly files = new Map<number, Store>();
  private pending: PendingChange[] = [];
  /** Reads and writes so far. */
  private clock = 0;
  private changed = false;
  /** What the bits of entries must say. */
  readonly shadows: Shadows;
  private readonly initial: Initial[] = [];

  /**
   * @param k a machine on which no task runs yet
   * @param looks who notes what is looked at here
   */
  constructor(
    private readonly k: Kernel,
    private readonly looks: Looks = new Looks(),
  ) {
    this.shadows = new Shadows(k, looks);
    for (const mm of k.mms) for (const vma of mm.vmas) this.note(vma);
    this.changed = true;
    this.reset();
  }

  /** Puts everything back to what it was in the beginning. */
  reset(): void {
    this.shadows.reset();
    if (!this.changed) return;
    this.changed = false;
    this.places.clear();
    this.files.clear();
    this.pending = [];
    this.clock = 0;
    for (const { key, fileKey, value, base, givenUp, rights } of this.initial) {
      let store = fileKey < 0 ? undefined : this.files.get(fileKey);
      if (!store) {
        store = new Store([value], base, givenUp);
        if (givenUp) add(store.values, base);
        if (fileKey >= 0) this.files.set(fileKey, store);
      }
      this.places.set(key, { store, shared: fileKey >= 0, rights });
    }
  }

  // ---- what memory holds ----

  /** The first word of a file's page as it is. */
  private fileWord(vma: Vma, vpn: number): number {
    const folio = vma.file?.folios.get(vma.pgoff + (vpn - vma.start));
    return folio === undefined ? 0 : this.k.frames.readWord(folio);
  }

  /** The first word of a page of RAM or of a device. */
  private word(pfn: number): number {
    const { k } = this;
    if (k.hasFrame(pfn)) return k.frames.readWord(pfn);
    const pgmap = pagePgmap(k, pfn);
    const bytes = new Uint8Array(k.geometry.pageBytes);
    pgmap.memory?.read(pgmap.devicePage(pfn), bytes);
    return wordOf(bytes);
  }

  /** By page: the frame that an address space has there. */
  private framesOf(mm: Mm): Map<number, number> {
    const frames = new Map<number, number>();
    for (const { vpn, pages, pte } of leavesOf(this.k, mm)) {
      for (let i = 0; i < pages; i++) frames.set(vpn + i, leafPfn(pte) + i);
    }
    return frames;
  }

  private note(vma: Vma): void {
    const { k } = this;
    const frames = this.framesOf(vma.mm);
    const shared = (vma.flags & VM_SHARED) !== 0;
    for (let vpn = vma.start; vpn < vma.end; vpn++) {
      const pfn = frames.get(vpn);
      const file = this.fileWord(vma, vpn);
      const folio = pfn === undefined ? -1 : k.pages.head[pfn];
      const anon = folio >= 0 && (k.pages.mapping[folio] & 1) !== 0;
      const givenUp =
        anon &&
        (!(k.pages.flags[folio] & (PG_SWAPBACKED | PG_HUGETLB)) ||
          k.lru.some((l) => l.lazyfree.includes(folio)));
      this.initial.push({
        key: keyOf(vma.mm.id, vpn),
        fileKey: shared ? this.fileKey(vma, vpn) : -1,
        value: pfn === undefined ? file : this.word(pfn),
        base: file,
        givenUp,
        rights: vma.flags & VM_ACCESS_FLAGS,
      });
    }
  }

  private fileKey(vma: Vma, vpn: number): number {
    return (vma.file?.number ?? 0) * SPACE_PAGES + vma.pgoff + (vpn - vma.start);
  }

  // ---- accesses ----

  /** The places that an address may mean now: two while one is being moved onto another. */
  private resolve(space: number, vpn: number): MemoryPlace[] {
    const place = this.places.get(keyOf(space, vpn));
    const found = place ? [place] : [];
    for (const { change, mm, start, end, to } of this.pending) {
      if (
        (change !== 'move' && change !== 'move out') ||
        mm.id !== space ||
        vpn < to ||
        vpn >= to + (end - start)
      )
        continue;
      const moving = this.places.get(keyOf(space, start + (vpn - to)));
      if (moving) found.push(moving);
    }
    return found;
  }

  private mayNow(space: number, vpn: number, need: number): boolean {
    const mm = this.k.mms.find(({ id }) => id === space);
    return ((mm?.lookupVma(vpn)?.flags ?? 0) & need) !== 0;
  }

  /**
   * Somebody reads or writes the first word of a page.
   * @param who to begin a sentence with
   * @param isRam whether the page is one of RAM
   */
  access(
    who: string,
    space: number,
    vpn: number,
    word: number,
    write: boolean,
    isRam = true,
  ): void {
    const { k } = this;
    if (write) this.looks.write(LookKind.Data, space, vpn);
    else this.looks.read(LookKind.Data, space, vpn);
    const places = this.resolve(space, vpn);
    const isCpu = who === 'a CPU';
    if (write && isRam) {
      this.shadows.write(isCpu ? 'a CPU' : 'a device to RAM', space, vpn, this.pending);
    } else if (isCpu) this.shadows.read(space, vpn, this.pending);
    const does = write ? 'writes' : 'reads';
    if (places.length === 0) {
      if (!this.mayNow(space, vpn, VM_ACCESS_FLAGS)) {
        k.report('permission', `${who} ${does} where nothing is mapped any more`);
      }
      return;
    }
    this.changed = true;
    this.clock++;
    const need = write ? VM_WRITE : VM_ACCESS_FLAGS;
    if (!places.some(({ rights }) => rights & need) && !this.mayNow(space, vpn, need)) {
      k.report('permission', `${who} ${does} where the process may not any more`);
      return;
    }
    if (write) this.write(space, vpn, word, places);
    else if (word === POISONED) k.report('data', `${who} reads a page that was freed`);
    else this.read(who, word, places);
  }

  /** A page is filled where nothing was, whatever the process may do there. */
  fill(space: number, vpn: number, word: number): void {
    this.looks.write(LookKind.Data, space, vpn);
    this.changed = true;
    this.clock++;
    this.write(space, vpn, word, this.resolve(space, vpn));
  }

  /** A file's page is read or written, past all mappings. What was not copied of it changes, too. */
  fileAccess(number: number, index: number, word: number, write: boolean): void {
    const file = this.k.mappings[number] as AddressSpace;
    const shared = this.files.get(number * SPACE_PAGES + index);
    if (!write) {
      if (shared && !shared.values.includes(word)) this.wrong('a file is read as', word, shared);
      return;
    }
    this.changed = true;
    this.clock++;
    if (shared) {
      shared.values = [word];
      add(shared.past, word);
      shared.base = word;
      shared.written = this.clock;
    }
    for (const vma of file.vmas) {
      const vpn = vma.start + index - vma.pgoff;
      const place = this.places.get(keyOf(vma.mm.id, vpn));
      if (!place || place.shared || vpn < vma.start || vpn >= vma.end) continue;
      const { store } = place;
      this.looks.write(LookKind.Data, vma.mm.id, vpn);
      const copies = this.pending
        .filter(({ change, mm }) => change === 'fork' && mm === vma.mm)
        .map((fork) => fork.copies.get(vpn)?.values ?? []);
      for (const values of [store.values, ...copies]) {
        if (values.includes(store.base)) add(values, word);
      }
      add(store.past, word);
      store.base = word;
    }
  }

  private write(space: number, vpn: number, word: number, places: MemoryPlace[]): void {
    for (const { store, shared } of places) {
      if (places.length === 1) {
        store.values = [word];
        store.givenUp = false;
      } else add(store.values, word);
      add(store.past, word);
      store.written = this.clock;
      for (const { change, mm, start, end, copies } of this.pending) {
        if (mm.id !== space || vpn < start || vpn >= end || shared) continue;
        if (change === 'discard' || change === 'give up') add(store.values, store.base);
        else if (change === 'fork') this.copy(copies, vpn, store);
      }
    }
  }

  private read(who: string, word: number, places: MemoryPlace[]): void {
    for (const { store } of places) {
      if (!store.values.includes(word)) continue;
      // what was open is now known
      if (store.values.length > 1 && places.length === 1 && this.settled(store))
        store.values = [word];
      return;
    }
    this.wrong(`${who} reads`, word, places[0].store);
  }

  private settled(store: Store): boolean {
    return !store.givenUp && this.pending.length === 0;
  }

  /** @param where when every task has ended: the page */
  private wrong(begin: string, word: number, store: Store, where = ''): void {
    const { k } = this;
    const what = store.past.includes(word)
      ? 'a value that was overwritten'
      : word === store.base
        ? 'what was there before the first write'
        : [...this.places.values()].some((p) => p.store.past.includes(word))
          ? 'data of another page'
          : 'a value that nobody wrote';
    const expected = store.values.map((v) => v.toString(16)).join(' or ');
    const detail = `${word.toString(16)} instead of ${expected}`;
    if (where === '') k.report('data', `${begin} ${what}`, detail);
    else k.reportResult('data', `${begin} ${what}`, `${where}: ${detail}`);
  }

  // ---- operations ----

  private told(mm: Mm, start: number, end: number, to: number): void {
    this.looks.write(LookKind.Data, mm.id, start, end);
    if (to > 0) this.looks.write(LookKind.Data, mm.id, to, to + (end - start));
  }

  /** An operation begins that changes what places are. */
  begin(change: MemoryChange, mm: Mm, start = 0, end = SPACE_PAGES, to = 0): PendingChange {
    this.changed = true;
    if (!NO_DATA.has(change)) this.told(mm, start, end, to);
    const pending: PendingChange = {
      change,
      mm,
      start,
      end,
      to,
      began: ++this.clock,
      copies: new Map(),
    };
    for (const [key, { store, shared }] of this.places) {
      const vpn = key - mm.id * SPACE_PAGES;
      if (vpn < start || vpn >= end || shared) continue;
      if (change === 'fork') this.copy(pending.copies, vpn, store);
      else if (change === 'discard' || change === 'give up') this.mayVanish(mm, vpn, store);
    }
    this.pending.push(pending);
    this.shadows.begin(pending);
    return pending;
  }

  /**
   * An operation has ended, before anyone else could do anything.
   * @param child for a fork that succeeded
   * @param done false when it was refused: what it was to do may have been done in part, or not
   */
  end(pending: PendingChange, child: Mm | null = null, done = true): void {
    const { change, mm, start, end, to, began } = pending;
    const moves = change === 'move' || change === 'move out';
    if (!NO_DATA.has(change)) this.told(mm, start, end, to);
    this.pending.splice(this.pending.indexOf(pending), 1);
    this.shadows.end(pending, child, done);
    if (change === 'forget' || NO_DATA.has(change)) return;
    for (let vpn = start; vpn < end && end !== SPACE_PAGES; vpn++) {
      const place = this.places.get(keyOf(mm.id, vpn));
      if (!place || (place.shared && !moves)) continue;
      const { store } = place;
      if (change === 'give up') store.givenUp ||= store.values.includes(store.base);
      else if (change === 'discard' && done && store.written < began && this.drops(mm, vpn, end)) {
        store.values = [store.base];
        store.givenUp = false;
      } else if (change === 'move out' ? done : change === 'move' && !mm.lookupVma(vpn)) {
        this.places.delete(keyOf(mm.id, vpn));
        this.places.set(keyOf(mm.id, vpn - start + to), place);
        if (!place.shared) this.copyForForks(mm, vpn - start + to, store);
      }
    }
    if (moves) this.refresh(mm, to, to + (end - start));
    if (change === 'fork') this.forked(pending, child);
    else this.refresh(mm, start, end);
  }

  /** Whether a page is dropped with others up to `end`: of huge pages of the pool only whole ones are. */
  private drops(mm: Mm, vpn: number, end: number): boolean {
    const vma = mm.lookupVma(vpn);
    return !vma || !isVmHugetlbPage(vma) || vpn < hugeStart(this.k, Math.min(end, vma.end));
  }

  /** Areas are what the process's are now. */
  private refresh(mm: Mm, start: number, end: number): void {
    const gone = !this.k.mms.includes(mm);
    for (let vpn = start; vpn < end; vpn++) {
      const key = keyOf(mm.id, vpn);
      const vma = gone ? undefined : mm.lookupVma(vpn);
      const place = this.places.get(key);
      if (!vma) {
        this.followMove(mm, vpn);
        this.places.delete(key);
      } else if (place) place.rights = vma.flags & VM_ACCESS_FLAGS;
      else {
        const fresh = this.fresh(vma, vpn);
        this.places.set(key, fresh);
        if (!fresh.shared) this.copyForForks(mm, vpn, fresh.store);
      }
    }
  }

  /** A page is not there any more: a move that is under way may have taken it along, before others came. */
  private followMove(mm: Mm, vpn: number): void {
    const place = this.places.get(keyOf(mm.id, vpn));
    const move = this.pending.find(
      ({ change, mm: of, start, end }) =>
        change === 'move' && of === mm && vpn >= start && vpn < end,
    );
    if (!place || !move) return;
    const to = move.to + (vpn - move.start);
    if (!mm.lookupVma(to) || this.places.has(keyOf(mm.id, to))) return;
    this.places.set(keyOf(mm.id, to), place);
    if (!place.shared) this.copyForForks(mm, to, place.store);
  }

  private fresh(vma: Vma, vpn: number): MemoryPlace {
    const base = this.fileWord(vma, vpn);
    const shared = (vma.flags & VM_SHARED) !== 0;
    let store = shared ? this.files.get(this.fileKey(vma, vpn)) : undefined;
    if (!store) {
      store = new Store([base], base, false);
      if (shared) this.files.set(this.fileKey(vma, vpn), store);
    }
    return { store, shared, rights: vma.flags & VM_ACCESS_FLAGS };
  }

  /** What a page holds may be gone; for a copy that is being made too. */
  private mayVanish(mm: Mm, vpn: number, store: Store): void {
    add(store.values, store.base);
    this.copyForForks(mm, vpn, store);
  }

  private copyForForks(mm: Mm, vpn: number, store: Store): void {
    for (const { change, mm: parent, copies } of this.pending) {
      if (change === 'fork' && parent === mm) this.copy(copies, vpn, store);
    }
  }

  private copy(copies: PendingChange['copies'], vpn: number, store: Store): void {
    let copy = copies.get(vpn);
    if (!copy) copies.set(vpn, (copy = { values: [], givenUp: false }));
    for (const value of store.values) add(copy.values, value);
    copy.givenUp ||= store.givenUp;
  }

  private forked({ copies }: PendingChange, child: Mm | null): void {
    if (!child) return;
    for (const vma of child.vmas) {
      for (let vpn = vma.start; vpn < vma.end; vpn++) {
        const place = this.fresh(vma, vpn);
        const copy = copies.get(vpn);
        if (copy && !place.shared) {
          place.store = new Store(copy.values, place.store.base, copy.givenUp);
        }
        this.places.set(keyOf(child.id, vpn), place);
      }
    }
  }

  // ---- at the end ----

  /** What may be read from here on: what tells two ends apart, besides the state. */
  get allowed(): unknown[] {
    const all: unknown[] = [];
    for (const [key, bits] of this.shadows.state) all.push(key, bits);
    if (!this.changed) return all;
    for (const [key, { store, shared, rights }] of this.places) {
      all.push(key, shared, rights, store.base, store.givenUp, store.values.length);
      for (const value of store.values) all.push(value);
    }
    return all;
  }

  /** When every task has ended: what memory holds, whether or not anyone reads it again. */
  checkAll(): void {
    const { k } = this;
    this.shadows.checkAll();
    if (!this.changed) return;
    for (const mm of k.mms) {
      const frames = this.framesOf(mm);
      for (const vma of mm.vmas) {
        for (let vpn = vma.start; vpn < vma.end; vpn++) {
          const place = this.places.get(keyOf(mm.id, vpn));
          if (!place) continue;
          const pfn = frames.get(vpn);
          // whoever comes there gets a signal
          if (pfn === undefined && (vma.resvUnmapped || vma.flags & VM_MIXEDMAP)) continue;
          const word = pfn === undefined ? this.fileWord(vma, vpn) : this.word(pfn);
          if (place.store.values.includes(word)) continue;
          this.wrong('a page ends with', word, place.store, pageWords(k, mm.id, vpn));
        }
      }
    }
  }
}
