/**
 * What a test's process is: an address space, open files, and a CPU that reads and writes memory.
 *
 * Units: addresses are page numbers, lengths pages. What returns a number returns a negative errno for
 * an error, as the system call does in the kernel.
 */
import { dmirrorMmap } from '../drivers/dmirror-mmap.ts';
import { type GupHow, gupTest } from '../drivers/gup-test.ts';
import { EINVAL } from '../machine/errno.ts';
import type { Kernel$ } from '../machine/step.ts';
import { cpuReadPage, cpuWritePage, SIGBUS } from '../mm/access.ts';
import { exitMmap } from '../mm/exit.ts';
import { dupMmap } from '../mm/fork.ts';
import { mmapHugetlb } from '../mm/hugetlb.ts';
import type { Kernel } from '../mm/kernel.ts';
import { type Advice, madvise } from '../mm/madvise.ts';
import type { Mm } from '../mm/mm.ts';
import { mmapRegion, munmap } from '../mm/mmap.ts';
import { mprotect } from '../mm/mprotect.ts';
import { mremap } from '../mm/mremap.ts';
import { readPagemap } from '../mm/pagemap.ts';
import { type AddressSpace, closeFile, fileRead, fileWrite, newFile } from '../mm/shmem.ts';
import {
  type UserfaultfdCtx,
  uffdCopy,
  uffdRead,
  uffdRegister,
  userfaultfd,
  userfaultfdRelease,
} from '../mm/userfaultfd.ts';
import { VM_READ, VM_SHARED, VM_WRITE } from '../mm/vma.ts';
import type { Computer } from './computer.ts';
import { TestDevice } from './device-file.ts';
import type { Words } from './test-words.ts';

export const PROT_NONE = 0;
export const PROT_READ = VM_READ;
export const PROT_READ_WRITE = VM_READ | VM_WRITE;

/** Signals that end a process. */
export const SIGABRT_NUMBER = 6;
const SIGBUS_NUMBER = 7;
export const SIGKILL_NUMBER = 9;
const SIGSEGV_NUMBER = 11;

/** A process is ended by a signal. */
export class Killed extends Error {
  override readonly name = 'Killed';
  constructor(readonly signal: number) {
    super(`killed by signal ${signal}`);
  }
}

/** Something that processes have open. A fork shares it. */
interface OpenFile {
  users: number;
  release(): Kernel$<void>;
}

/** An open file in memory. */
export class RegularFile implements OpenFile {
  users = 1;
  constructor(
    private readonly k: Kernel,
    readonly space: AddressSpace,
  ) {
    space.opened++;
  }

  /** @returns pages read */
  pread(into: Uint8Array, page: number): Kernel$<number> {
    return fileRead(this.k, this.space, page, into);
  }

  /** @returns pages written */
  pwrite(from: Uint8Array, page: number): Kernel$<number> {
    return fileWrite(this.k, this.space, page, from);
  }

  release(): Kernel$<void> {
    return closeFile(this.k, this.space);
  }
}

/** An open userfaultfd. */
export class Userfaultfd implements OpenFile {
  users = 1;
  constructor(
    private readonly k: Kernel,
    private readonly ctx: UserfaultfdCtx,
  ) {}

  /** Missing pages of a range wait for the monitor from here on (UFFDIO_REGISTER_MODE_MISSING). */
  register(start: number, pages: number): Kernel$<number> {
    return uffdRegister(this.k, this.ctx, start, start + pages);
  }

  /**
   * Waits until a page is missing, or until the monitor is told to stop.
   * @returns the page, or -1
   */
  read(stopped: () => boolean): Kernel$<number> {
    return uffdRead(this.k, this.ctx, stopped);
  }

  /** Fills a missing page, and lets those go on that wait for it. */
  copy(vpn: number, page: Uint8Array): Kernel$<number> {
    return uffdCopy(this.k, this.ctx, vpn, page);
  }

  release(): Kernel$<void> {
    return userfaultfdRelease(this.k, this.ctx);
  }
}

/** What mmap(2) is to map; none of it: private anonymous memory. */
export interface Mapping {
  shared?: boolean;
  file?: RegularFile;
  /** An open device: pages that its driver makes. */
  device?: TestDevice;
  /** Huge pages of the pool. */
  hugetlb?: boolean;
  /** Begin at a huge page what is as long as some. Default: as the process does otherwise. */
  aligned?: boolean;
}

export class TestProcess {
  readonly files = new Set<OpenFile>();
  private readonly page: Int32Array<ArrayBuffer>;
  private readonly pageBytes: Uint8Array;

  private constructor(
    readonly computer: Computer,
    readonly mm: Mm,
    /** Below this page addresses are chosen. */
    private readonly top: number,
    private readonly alignsHuge: boolean,
  ) {
    const { pageBytes } = computer.kernel.geometry;
    this.page = new Int32Array(pageBytes / 4);
    this.pageBytes = new Uint8Array(this.page.buffer);
  }

  /**
   * A new process.
   * @param alignsHuge what is as long as some huge pages begins at one; else mappings begin anywhere else
   */
  static start(computer: Computer, random: () => number, alignsHuge = false): TestProcess {
    const { geometry } = computer.kernel;
    const { ptrsPerPte, bufferPages } = geometry;
    const off = 1 + Math.floor(random() * (ptrsPerPte - 1));
    const top = geometry.vpnOf(0, bufferPages / 2) + off;
    return new TestProcess(computer, computer.kernel.newMm(), top, alignsHuge);
  }

  get k(): Kernel {
    return this.computer.kernel;
  }

  // ---- memory ----

  /** Where there is room, as high as can be: at a huge page, or anywhere else. */
  private freePlace(pages: number, aligned: boolean): number {
    const { vmas } = this.mm;
    const below = (end: number): number => {
      const at = end - pages;
      const past = at % this.k.geometry.ptrsPerPte;
      if (aligned) return at - past;
      return past === 0 ? at - 1 : at;
    };
    let end = this.top;
    for (let i = vmas.length - 1; i >= 0 && below(end) < vmas[i].end; i--) {
      end = Math.min(end, vmas[i].start);
    }
    return below(end);
  }

  /**
   * mmap(2) of `pages` pages somewhere.
   * @returns the first page
   */
  *mmap(pages: number, prot: number, what: Mapping = {}): Kernel$<number> {
    const isAnon = !what.shared && !what.file && !what.device;
    const isWhole = pages % this.k.geometry.ptrsPerPte === 0;
    const aligned = (what.aligned ?? this.alignsHuge) && isAnon && isWhole;
    const start = this.freePlace(pages, aligned || what.hugetlb === true);
    return (yield* this.map(start, start + pages, prot, what)) || start;
  }

  private *map(start: number, end: number, prot: number, what: Mapping): Kernel$<number> {
    const { k, mm } = this;
    if (what.device) return yield* dmirrorMmap(k, what.device.mirror, mm, start, end, prot);
    if (what.hugetlb) return yield* mmapHugetlb(k, mm, start, end, prot);
    const flags = prot | (what.shared ? VM_SHARED : 0);
    let file = what.file?.space ?? null;
    if (what.shared && !file) {
      file = newFile(k, end - start);
      file.promised = true;
    }
    return yield* mmapRegion(k, mm, start, end, flags, file);
  }

  *munmap(start: number, pages: number): Kernel$<number> {
    const ret = yield* munmap(this.k, this.mm, start, start + pages);
    yield* this.computer.closeUnmapped();
    return ret;
  }

  mprotect(start: number, pages: number, prot: number): Kernel$<number> {
    return mprotect(this.k, this.mm, start, start + pages, prot);
  }

  madvise(start: number, pages: number, advice: Advice): Kernel$<number> {
    return madvise(this.k, this.mm, start, start + pages, advice);
  }

  /**
   * mremap(2) to a place that the caller names.
   * @param dontUnmap MREMAP_DONTUNMAP: the areas stay, and are empty
   */
  *mremap(from: number, pages: number, to: number, dontUnmap: boolean): Kernel$<number> {
    return (yield* mremap(this.k, this.mm, from, pages, to, dontUnmap)) || to;
  }

  /**
   * An ioctl of the kernel's test driver for get_user_pages(): takes pages to write to them, looks at them
   * and gives them back.
   * @returns 0, or the errno for which none could be taken: the driver itself does not tell it
   */
  *gupTest(start: number, pages: number, how: GupHow): Kernel$<number> {
    const taken = yield* gupTest(this.k, this.mm, how, start, pages, true);
    return taken === pages ? 0 : taken;
  }

  /** What /proc/self/pagemap says of pages: PM_* of mm/pagemap.ts. */
  pagemap(start: number, pages: number): Kernel$<number[]> {
    return readPagemap(this.k, this.mm, start, start + pages);
  }

  /**
   * A CPU writes ints, those of whole pages.
   * @param start page of int number 0
   * @param from the first page to write, counted from there
   * @throws Killed where it may not
   */
  *write(start: number, pages: number, words: Words, from = 0): Kernel$<void> {
    const { page } = this;
    for (let at = from; at < pages; at++) {
      words.fill(page, at * page.length);
      this.mayGo(yield* cpuWritePage(this.k, this.mm, start + at, this.pageBytes));
    }
  }

  /**
   * A CPU reads a page of ints.
   * @returns them, until the next access
   * @throws Killed where it may not
   */
  *readPage(vpn: number): Kernel$<Int32Array> {
    this.mayGo(yield* cpuReadPage(this.k, this.mm, vpn, this.pageBytes));
    return this.page;
  }

  /** A CPU reads int number `i` of what begins at page `start`. */
  *readInt(start: number, i: number): Kernel$<number> {
    const perPage = this.page.length;
    const page = yield* this.readPage(start + Math.floor(i / perPage));
    return page[i % perPage];
  }

  /** A CPU writes the first int of a page. */
  *writeInt(vpn: number, value: number): Kernel$<void> {
    const page = yield* this.readPage(vpn);
    page[0] = value;
    this.mayGo(yield* cpuWritePage(this.k, this.mm, vpn, this.pageBytes));
  }

  private mayGo(ret: number): void {
    if (ret < 0) throw new Killed(ret === SIGBUS ? SIGBUS_NUMBER : SIGSEGV_NUMBER);
  }

  // ---- files ----

  /** Opens a device for this process. */
  *open(device: number): Kernel$<TestDevice> {
    const file = new TestDevice(this.computer, yield* this.computer.open(device, this.mm));
    this.files.add(file);
    return file;
  }

  /** A temporary file of zeros, which is gone when it is closed. */
  createFile(pages: number): RegularFile {
    const file = new RegularFile(this.k, newFile(this.k, pages));
    this.files.add(file);
    return file;
  }

  /** A monitor of missing pages. */
  userfaultfd(): Userfaultfd {
    const file = new Userfaultfd(this.k, userfaultfd(this.k, this.mm));
    this.files.add(file);
    return file;
  }

  *close(file: OpenFile): Kernel$<number> {
    if (!this.files.delete(file)) return -EINVAL;
    file.users--;
    if (file.users === 0) yield* file.release();
    return 0;
  }

  // ---- life ----

  /** @returns the child */
  *fork(): Kernel$<TestProcess> {
    const child = new TestProcess(this.computer, this.k.newMm(), this.top, this.alignsHuge);
    const ret = yield* dupMmap(this.k, child.mm, this.mm);
    if (ret) throw new Error(`fork: ${ret}`);
    for (const file of this.files) {
      file.users++;
      child.files.add(file);
    }
    return child;
  }

  /** Memory goes before files, as in the kernel. */
  *exit(): Kernel$<void> {
    yield* exitMmap(this.k, this.mm);
    yield* this.computer.closeUnmapped();
    for (const file of [...this.files]) yield* this.close(file);
  }
}
