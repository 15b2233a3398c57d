/** What a test is given: its process, its devices, assertions. */
import { errnoName } from '../machine/errno.ts';
import type { Kernel$ } from '../machine/step.ts';
import { HmmBuffer } from './buffer.ts';
import type { Computer } from './computer.ts';
import type { TestDevice } from './device-file.ts';
import {
  Killed,
  type Mapping,
  SIGABRT_NUMBER,
  SIGKILL_NUMBER,
  type TestProcess,
} from './process.ts';
import { Clock, runTogether, sleep, waitUntil } from './scheduler.ts';
import type { Words } from './test-words.ts';

/** An ASSERT_ does not hold: the process that made it is aborted. */
export class AssertionFailed extends Error {
  override readonly name = 'AssertionFailed';
}

/** A test cannot be made here. */
export class Skipped extends Error {
  override readonly name = 'Skipped';
}

/** A value with its text in the test: `{ ret }`; a number is its own text. */
export type Named = number | Readonly<Record<string, number>>;

function textAndValue(named: Named): [text: string, value: number] {
  if (typeof named === 'number') return [String(named), named];
  return Object.entries(named)[0];
}

/** An errno as a test writes it: `-ENOENT`. */
export function negative(errno: number): Named {
  return { [`-${errnoName(-errno)}`]: -errno };
}

type Comparison = '==' | '!=' | '>=';

function holds(a: number, comparison: Comparison, b: number): boolean {
  if (comparison === '==') return a === b;
  return comparison === '!=' ? a !== b : a >= b;
}

/** How a child ended. */
export interface ExitStatus {
  /** 0: it ended by itself. */
  signal: number;
  code: number;
}

export class Test {
  /** What the test says, a line each, without the leading `# `. */
  readonly diagnostics: string[] = [];
  failed = false;
  /** The devices that the fixture opens. */
  fds: TestDevice[] = [];
  readonly clock = new Clock();

  constructor(
    /** Without its fixture. */
    readonly name: string,
    readonly computer: Computer,
    readonly process: TestProcess,
    /** Whether the fixture's devices are coherent. */
    readonly isCoherent: boolean,
    readonly random: () => number,
    private readonly onLine: (line: string) => void,
  ) {}

  get fd(): TestDevice {
    return this.fds[0];
  }

  /** Pages of a huge page. */
  get hugePages(): number {
    return this.computer.kernel.geometry.ptrsPerPte;
  }

  /** Prints a line, as a diagnostic. */
  print(line: string): void {
    this.diagnostics.push(line);
    this.onLine(line);
  }

  // ---- assertions ----

  /** Says what does not hold, and goes on. */
  private compare(a: Named, comparison: Comparison, b: Named): boolean {
    const [aText, aValue] = textAndValue(a);
    const [bText, bValue] = textAndValue(b);
    if (holds(aValue, comparison, bValue)) return true;
    this.fail(`Expected ${aText} (${aValue}) ${comparison} ${bText} (${bValue})`);
    return false;
  }

  fail(message: string): void {
    this.failed = true;
    this.print(`${this.name}:${message}`);
  }

  private assert(held: boolean): void {
    if (!held) throw new AssertionFailed(this.name);
  }

  assertEq(expected: Named, seen: Named): void {
    this.assert(this.compare(expected, '==', seen));
  }
  assertNe(expected: Named, seen: Named): void {
    this.assert(this.compare(expected, '!=', seen));
  }
  assertGe(expected: Named, seen: Named): void {
    this.assert(this.compare(expected, '>=', seen));
  }
  expectEq(expected: Named, seen: Named): void {
    this.compare(expected, '==', seen);
  }
  expectNe(expected: Named, seen: Named): void {
    this.compare(expected, '!=', seen);
  }

  /** What a command gave: no error, and so many pages; faults too, if they are given. */
  assertDone(ret: number, buffer: HmmBuffer, npages: number, faults?: number): void {
    this.assertEq({ ret }, 0);
    this.assertEq({ 'buffer->cpages': buffer.cpages }, { npages });
    if (faults !== undefined) this.assertEq({ 'buffer->faults': buffer.faults }, faults);
  }

  /**
   * Every int of the mirror's first pages, or from one to another.
   * @param pages the end, counted from the beginning
   */
  assertMirror(buffer: HmmBuffer, pages: number, words: Words, from = 0): void {
    const perPage = this.computer.kernel.geometry.pageBytes / 4;
    this.assertInts(buffer.ints.subarray(from * perPage, pages * perPage), from * perPage, words);
  }

  /** Ints of which the first is number `first`. */
  assertInts(ints: Int32Array, first: number, words: Words): void {
    const at = words.mismatch(ints, first);
    if (at >= 0) this.assertEq({ 'ptr[i]': ints[at] }, { [words.text]: words.at(first + at) });
  }

  /** A CPU looks at every int of a buffer's pages, from one to another. */
  *assertMemory(
    process: TestProcess,
    start: number,
    pages: number,
    words: Words,
    from = 0,
  ): Kernel$<void> {
    for (let at = from; at < pages; at++) {
      const ints = yield* process.readPage(start + at);
      this.assertInts(ints, at * ints.length, words);
    }
  }

  /** Fills the mirror's first pages. */
  fillMirror(buffer: HmmBuffer, pages: number, words: Words): void {
    const perPage = this.computer.kernel.geometry.pageBytes / 4;
    words.fill(buffer.ints.subarray(0, pages * perPage), 0);
  }

  // ---- buffers ----

  /** @throws Skipped when no huge page is in the pool */
  needHugetlb(): void {
    if (this.computer.kernel.hugetlb.free === 0) throw new Skipped('Not enough huge pages');
  }

  /**
   * Maps memory, with a mirror.
   * @param pages to map; the mirror may be for another number of pages
   */
  *buffer(
    pages: number,
    mirrorPages: number,
    prot: number,
    mapping: Mapping = {},
  ): Kernel$<HmmBuffer> {
    const ptr = yield* this.process.mmap(pages, prot, mapping);
    this.assertGe({ 'buffer->ptr': ptr }, 0);
    const bytes = mirrorPages * this.computer.kernel.geometry.pageBytes;
    return new HmmBuffer(ptr, pages, new Uint8Array(bytes));
  }

  *free(buffer: HmmBuffer): Kernel$<void> {
    yield* this.process.munmap(buffer.ptr, buffer.pages);
  }

  /** The first huge page's worth of memory that begins in a buffer as a huge page would. */
  firstHuge(ptr: number): number {
    return Math.ceil(ptr / this.hugePages) * this.hugePages;
  }

  // ---- processes and threads ----

  /**
   * What a child does, to its end; its open files and its memory go with it.
   * @returns how it ended
   */
  *child(child: TestProcess, body: Kernel$<void>): Kernel$<ExitStatus> {
    const status = { signal: 0, code: 0 };
    try {
      yield* body;
    } catch (error) {
      if (error instanceof AssertionFailed) status.signal = SIGABRT_NUMBER;
      else if (error instanceof Killed) status.signal = error.signal;
      else throw error;
    }
    yield* child.exit();
    return status;
  }

  /** A child that does nothing by itself is killed. */
  *kill(child: TestProcess): Kernel$<ExitStatus> {
    yield* child.exit();
    return { signal: SIGKILL_NUMBER, code: 0 };
  }

  /** Runs threads, by their names, at the same time. */
  together(bodies: Readonly<Record<string, Kernel$<void>>>): void {
    runTogether(this.computer.kernel, this.clock, this.random, bodies);
  }

  sleep(nanoseconds: number): Kernel$<void> {
    return sleep(this.computer.kernel, this.clock, nanoseconds);
  }

  waitUntil(ready: () => boolean): Kernel$<void> {
    return waitUntil(this.computer.kernel, ready);
  }
}
