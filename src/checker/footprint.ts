/**
 * What a step had to do with: what it names, and what whoever watches looked at or was told of while it was taken. A
 * verdict hangs on both, so both say which steps depend on each other.
 */
import { ObjectKind, Role, type Step, StepKind } from '../machine/index.ts';
import { meets } from './conflict.ts';

const NAMED_KINDS = Object.keys(ObjectKind).length;

/**
 * What watches look at beside the objects that steps name. Of one that covers a range there are two kinds, see
 * `Looks`: its number, and the next one.
 */
export const LookKind = {
  /** Where an entry of a page table leads: its index in the table pool. */
  Leads: NAMED_KINDS,
  /** Whether an entry lets its page be written. */
  LeadsToWrite: NAMED_KINDS + 1,
  /** Whether one process alone maps a page: its frame number. */
  Own: NAMED_KINDS + 2,
  /** A table: whether it is free. */
  TableFree: NAMED_KINDS + 3,
  /** Pages of an address space that are being invalidated. */
  Invalidated: NAMED_KINDS + 4,
  /** Pages of an address space that devices map. */
  DeviceMaps: NAMED_KINDS + 6,
  /** Frames that devices map. */
  DeviceFrames: NAMED_KINDS + 8,
  /** Frames that CPUs have translations to. */
  CpuFrames: NAMED_KINDS + 10,
  /** Frames: whether they are free. */
  Free: NAMED_KINDS + 12,
  /** Pages of an address space: which words each may have. */
  Data: NAMED_KINDS + 14,
  /** Frames that entries lead to, and how often they were copied. */
  Copied: NAMED_KINDS + 16,
  /** Pages of an address space that devices have for themselves. */
  Exclusive: NAMED_KINDS + 18,
} as const;

/** Kinds of objects of both sorts. */
export const FOOTPRINT_KINDS = NAMED_KINDS + 20;

/** What was looked at, as numbers that follow each other in threes: kind, number, role. */
export type Looked = readonly number[];

/** What one step had to do with. */
export class Footprint {
  kind: StepKind = StepKind.Shared;
  /** Whether the step may have to wait. */
  mayWait = false;
  /** Objects; those that the step names come first. */
  count = 0;
  named = 0;
  readonly objects: number[] = [];
  readonly ids: number[] = [];
  readonly roles: Role[] = [];

  /** Begins with what a step names. */
  of(step: Step): this {
    this.kind = step.kind;
    this.mayWait = step.enabled !== null;
    this.count = step.count;
    this.named = step.count;
    for (let i = 0; i < step.count; i++) {
      this.objects[i] = step.objects[i];
      this.ids[i] = step.ids[i];
      this.roles[i] = step.roles[i];
    }
    return this;
  }

  /** Somebody who watches looks at something, or is told of a change. */
  add(kind: number, id: number, role: Role): void {
    for (let i = 0; i < this.count; i++) {
      if (this.ids[i] === id && this.objects[i] === kind && this.roles[i] === role) return;
    }
    const at = this.count++;
    this.objects[at] = kind;
    this.ids[at] = id;
    this.roles[at] = role;
  }

  /** Whether the step says that it changes a device's page table. */
  get entersDevice(): boolean {
    for (let i = 0; i < this.named; i++) {
      if (this.objects[i] === ObjectKind.DeviceEntry && this.roles[i] === Role.Write) return true;
    }
    return false;
  }

  /** What it has beside what the step names. */
  looked(): Looked {
    const all: number[] = [];
    for (let i = this.named; i < this.count; i++) {
      all.push(this.objects[i], this.ids[i], this.roles[i]);
    }
    return all;
  }

  /** Whether a step that had to do with these depends on this one. */
  meets(looked: Looked): boolean {
    for (let i = 0; i < looked.length; i += 3) {
      if (meets(looked[i], looked[i + 1], looked[i + 2] as Role, this)) return true;
    }
    return false;
  }
}
