/**
 * The system that a program runs on: a kernel, its processes, devices, and the pins that processes hold.
 */

import type { Dmirror } from '../drivers/dmirror.ts';
import type { DmirrorDevice } from '../drivers/dmirror-device.ts';
import { closeDmirror, newDmirrorDevice, openDmirror } from '../drivers/dmirror-file.ts';
import { isMapped } from '../drivers/dmirror-mmap.ts';
import type { DriverName } from '../drivers/driver-names.ts';
import { type GupHold, gupGiveBack } from '../drivers/gup-test.ts';
import { runToEnd } from '../machine/execute.ts';
import { PROGRAM, usersOf } from '../machine/objects.ts';
import { type Kernel$, ObjectKind, Role, type Step, StepKind } from '../machine/step.ts';
import { exitMmap } from '../mm/exit.ts';
import { folioPut, pageFolio } from '../mm/folio.ts';
import { Kernel, type KernelOptions } from '../mm/kernel.ts';
import { CountingLedger, Holder, Ledger } from '../mm/look/ledger.ts';
import type { Mm } from '../mm/mm.ts';
import { type AddressSpace, closeFile } from '../mm/shmem.ts';
import { type UserfaultfdCtx, userfaultfd } from '../mm/userfaultfd.ts';

/** A reference on a page, held by the processes that have its pipe open. */
export interface Pin {
  page: number;
  readonly processes: Set<number>;
}

/** A device as somebody has it open. An operation that is under way keeps it open. */
export interface DeviceFile {
  /** In the order of opening. */
  readonly number: number;
  /** It mirrors the address space of the process that opened it. */
  readonly mirror: Dmirror;
  users: number;
  closed: boolean;
  released: boolean;
}

/**
 * The step before what a process has open is looked at or changed (Role.Write: a child gets it or not), or
 * an address space is used through it.
 */
export function fileStep(k: Kernel, file: DeviceFile, role: Role): Step {
  const step = k.step(StepKind.Shared, ObjectKind.File, file.number, role);
  if (role === Role.Write) step.and(ObjectKind.Program, PROGRAM, Role.Commute);
  return step.and(ObjectKind.Mm, usersOf(file.mirror.mm), Role.Commute);
}

/** A page of a file that a process has open. */
export interface OpenFile {
  readonly file: AddressSpace;
  /** Offset in pages. */
  readonly index: number;
}

export interface Process {
  readonly mm: Mm;
  /** By id: what is held, or null for what failed. */
  readonly pins: Map<number, Pin | GupHold | null>;
  /** By device: the file that its operations are about, the one that it opened last; a child gets its parent's. */
  readonly files: DeviceFile[];
  /** What it has open: also what was opened before. A file is closed when nobody holds it any more. */
  readonly held: Set<DeviceFile>;
  /** Files that it keeps open, by the place where they were mapped (a page number). */
  readonly opened: Map<number, OpenFile>;
  /** All files that it keeps open. */
  readonly kept: AddressSpace[];
  /** It has exited. */
  ended: boolean;
  /** Its monitor of missing faults was told to stop. */
  monitorStops: boolean;
}

export interface SystemOptions extends KernelOptions {
  /**
   * Keep a ledger of who holds each reference: one that names functions, which is slow, or one that
   * counts. Default: none.
   */
  ledger?: boolean | 'counts';
  /** Devices 0 and 1 are device-private; with 4 there are 2 and 3, too, which are device-coherent. */
  devices?: 2 | 4;
  /** A process keeps the files that it maps open. */
  keepsFiles?: boolean;
  /** Of the devices. Default `mended`. */
  driver?: DriverName;
}

/** What a program runs on: a machine with processes, devices and who holds pages. */
export class System {
  readonly kernel: Kernel;
  readonly processes: (Process | undefined)[] = [];
  readonly devices: DmirrorDevice[] = [];
  readonly keepsFiles: boolean;
  /** Every mirror that was opened; first those of process 0, by device. */
  readonly mirrors: Dmirror[] = [];
  readonly files: DeviceFile[] = [];
  /** Every pin with a holder, also those whose id was used again. */
  readonly pins = new Set<Pin>();
  /** Everything that `gup` holds, also what has an id that was used again; no process's end drops it. */
  readonly holds = new Set<GupHold>();

  constructor(options: SystemOptions = {}) {
    const { ledger, devices = 2, keepsFiles = false, driver, ...rest } = options;
    this.kernel = new Kernel({ poison: true, ...rest });
    if (ledger === 'counts') this.kernel.ledger = new CountingLedger(this.kernel);
    else if (ledger) this.kernel.ledger = new Ledger(this.kernel);
    this.keepsFiles = keepsFiles;
    const mm = this.kernel.newMm();
    this.processes[0] = {
      mm,
      pins: new Map(),
      files: [],
      held: new Set(),
      opened: new Map(),
      kept: [],
      ended: false,
      monitorStops: false,
    };
    for (let id = 0; id < devices; id++) {
      const kind = id < 2 ? 'private' : 'coherent';
      this.devices.push(newDmirrorDevice(this.kernel, id, kind, undefined, driver));
      runToEnd(this.kernel, this.open(0, id));
    }
  }

  /** A process keeps a file open that it maps at `start` (pages). */
  keepOpen(process: Process, file: AddressSpace, start: number): void {
    if (!this.keepsFiles) return;
    file.opened++;
    process.kept.push(file);
    for (let index = 0; index < file.pages; index++)
      process.opened.set(start + index, { file, index });
  }

  /**
   * What was mapped at `start` is mapped elsewhere, or nowhere: a file is found by where it is mapped.
   * @param to -1 for nowhere
   * @param keep the old place stays
   */
  moveOpen(proc: number, start: number, pages: number, to: number, keep: boolean): void {
    const { opened } = this.process(proc);
    if (opened.size === 0) return;
    for (let i = 0; i < pages; i++) {
      const file = opened.get(start + i);
      if (!keep) opened.delete(start + i);
      if (to < 0) continue;
      if (file) opened.set(to + i, file);
      else opened.delete(to + i);
    }
  }

  /** A process opens a device, for its own address space. */
  *open(proc: number, dev: number): Kernel$<void> {
    const { mm, files, held } = this.process(proc);
    const mirror = yield* openDmirror(this.kernel, this.devices[dev], mm);
    const number = this.files.length;
    const file = { number, mirror, users: 0, closed: false, released: false };
    this.mirrors.push(mirror);
    this.files.push(file);
    const k = this.kernel;
    if (k.stepping) yield fileStep(k, files[dev], Role.Write);
    files[dev] = file;
    held.add(file);
  }

  /** A process holds a file no more; it is closed when nobody does (fput()). The step before it is the caller's. */
  drop(proc: number, file: DeviceFile): void {
    this.process(proc).held.delete(file);
    file.closed ||= this.processes.every((process) => !process?.held.has(file));
  }

  process(proc: number): Process {
    return this.processes[proc] as Process;
  }

  /** A process's userfaultfd, made when it is first asked for. */
  userfaultfd(proc: number): UserfaultfdCtx {
    const { mm } = this.process(proc);
    return mm.userfaultfds[0] ?? userfaultfd(this.kernel, mm);
  }

  /** Drops a process's hold of a pin; the last one drops the reference. */
  *dropPin(pin: Pin, proc: number): Kernel$<void> {
    pin.processes.delete(proc);
    if (pin.processes.size > 0) return;
    this.pins.delete(pin);
    yield* folioPut(this.kernel, pageFolio(this.kernel, pin.page), Holder.Pin);
  }

  /** Drops what `gup` holds. */
  *dropHold(hold: GupHold): Kernel$<void> {
    this.holds.delete(hold);
    yield* gupGiveBack(this.kernel, hold);
  }

  /**
   * The last user of a closed device lets it go, a mapping of it is one; and the last of an address space
   * that nobody lives in.
   */
  *release(file: DeviceFile): Kernel$<void> {
    if (file.users > 0) return;
    if (file.closed && !file.released && !isMapped(file.mirror)) {
      file.released = true;
      yield* closeDmirror(this.kernel, file.mirror);
    }
    if (this.isEnding(file)) yield* this.reap(file.mirror.mm);
  }

  /** Whether a file's address space is to go with its last user. */
  isEnding({ mirror }: DeviceFile): boolean {
    return this.processes.some((process) => process?.ended && process.mm === mirror.mm);
  }

  /** The memory of a process that has exited goes, once nobody is at work in it (mmput()). */
  private *reap(mm: Mm): Kernel$<void> {
    const busy = this.files.some(({ mirror, users }) => mirror.mm === mm && users > 0);
    if (!busy && !mm.ended) yield* exitMmap(this.kernel, mm);
  }

  /**
   * A process ends: its memory goes, unless somebody is at work in it, who lets it go then; then its pipes,
   * then the devices that nobody else has open.
   *
   * Mirrors: kernel/exit.c do_exit()
   */
  *exit(proc: number): Kernel$<void> {
    const k = this.kernel;
    const process = this.process(proc);
    if (k.stepping) yield k.step(StepKind.Shared, ObjectKind.Mm, usersOf(process.mm), Role.Write);
    process.ended = true;
    yield* this.reap(process.mm);
    if (k.stepping) yield k.step(StepKind.Shared, ObjectKind.Program, PROGRAM, Role.Write);
    yield* this.dropAll(proc);
    for (const file of [...process.held]) {
      if (k.stepping) yield fileStep(k, file, Role.Write);
      this.drop(proc, file);
      yield* this.release(file);
    }
  }

  private *dropAll(proc: number): Kernel$<void> {
    for (const pin of [...this.pins]) if (pin.processes.has(proc)) yield* this.dropPin(pin, proc);
    const { kept } = this.process(proc);
    for (const file of kept.splice(0)) yield* closeFile(this.kernel, file);
  }

  /**
   * Everything ends: what `gup` holds is dropped; processes exit, youngest first; the devices are closed;
   * pipes are closed.
   */
  *shutdown(): Kernel$<void> {
    for (const hold of [...this.holds]) yield* this.dropHold(hold);
    for (let proc = this.processes.length - 1; proc >= 0; proc--) {
      const process = this.processes[proc];
      if (!process) continue;
      yield* this.dropAll(proc);
      for (const file of this.files) {
        if (file.mirror.mm !== process.mm) continue;
        file.closed = true;
        yield* this.release(file);
      }
      if (!process.ended) yield* exitMmap(this.kernel, process.mm);
      for (const file of this.files) yield* this.release(file);
      this.processes[proc] = undefined;
    }
  }
}
