/**
 * The system that a program runs on: a kernel, its processes, two devices, and the pins that
 * processes hold.
 */
import { closeDmirror, type Dmirror, DmirrorDevice, openDmirror } from '../drivers/index.ts';
import { type Kernel$, runToEnd } from '../machine/index.ts';
import { exitMmap } from '../mm/exit.ts';
import { folioPut, pageFolio } from '../mm/folio.ts';
import {
  CountingLedger,
  Holder,
  Kernel,
  type KernelOptions,
  Ledger,
  type Mm,
} from '../mm/index.ts';

/** A reference on a page, held by the processes that have its pipe open. */
export interface Pin {
  page: number;
  readonly processes: Set<number>;
}

/** A device as process 0 has it open. An operation that is under way keeps it open. */
export interface DeviceFile {
  readonly mirror: Dmirror;
  users: number;
  closed: boolean;
  released: boolean;
}

export interface Process {
  readonly mm: Mm;
  /** By id: the pin, or null for one that failed. */
  readonly pins: Map<number, Pin | null>;
}

export interface SystemOptions extends KernelOptions {
  /**
   * Keep a ledger of who holds each reference: one that names functions, which is slow, or one that
   * counts. Default: none.
   */
  ledger?: boolean | 'counts';
}

export class System {
  readonly kernel: Kernel;
  readonly processes: (Process | undefined)[] = [];
  /** The two devices as process 0 has them open. */
  readonly mirrors: Dmirror[] = [];
  readonly files: DeviceFile[] = [];
  /** Every pin with a holder, also those whose id was used again. */
  readonly pins = new Set<Pin>();

  constructor(options: SystemOptions = {}) {
    const { ledger, ...rest } = options;
    this.kernel = new Kernel({ poison: true, ...rest });
    if (ledger === 'counts') this.kernel.ledger = new CountingLedger(this.kernel);
    else if (ledger) this.kernel.ledger = new Ledger(this.kernel);
    const mm = this.kernel.newMm();
    this.processes[0] = { mm, pins: new Map() };
    for (let id = 0; id < 2; id++) {
      const device = new DmirrorDevice(this.kernel, id);
      const mirror = runToEnd(this.kernel, openDmirror(this.kernel, device, mm));
      this.mirrors.push(mirror);
      this.files.push({ mirror, users: 0, closed: false, released: false });
    }
  }

  process(proc: number): Process {
    return this.processes[proc] as Process;
  }

  /** Drops a process's hold of a pin; the last one drops the reference. */
  *dropPin(pin: Pin, proc: number): Kernel$<void> {
    pin.processes.delete(proc);
    if (pin.processes.size > 0) return;
    this.pins.delete(pin);
    yield* folioPut(this.kernel, pageFolio(this.kernel, pin.page), Holder.Pin);
  }

  /** The last user of a closed device lets it go. */
  *release(file: DeviceFile): Kernel$<void> {
    if (!file.closed || file.users > 0 || file.released) return;
    file.released = true;
    yield* closeDmirror(this.kernel, file.mirror);
  }

  /** Everything ends: processes exit, youngest first; the devices are closed; pipes are closed. */
  *shutdown(): Kernel$<void> {
    for (let proc = this.processes.length - 1; proc >= 0; proc--) {
      const process = this.processes[proc];
      if (!process) continue;
      for (const pin of [...this.pins]) {
        if (pin.processes.has(proc)) yield* this.dropPin(pin, proc);
      }
      if (proc === 0) {
        for (const file of this.files) {
          file.closed = true;
          yield* this.release(file);
        }
      }
      yield* exitMmap(this.kernel, process.mm);
      this.processes[proc] = undefined;
    }
  }
}
