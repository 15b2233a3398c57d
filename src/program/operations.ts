/** What each operation of a program does, and what it returns. */

import { type Dmirror, deviceFlagStep } from '../drivers/dmirror.ts';
import { type DeviceResult, deviceAccess, deviceReadUnlocked } from '../drivers/dmirror-access.ts';
import { migrateToSystem } from '../drivers/dmirror-evict.ts';
import { checkExclusive, deviceExclusive } from '../drivers/dmirror-exclusive.ts';
import { removeChunks } from '../drivers/dmirror-file.ts';
import { migrateToDevice } from '../drivers/dmirror-migrate.ts';
import { dmirrorMmap } from '../drivers/dmirror-mmap.ts';
import { deviceSnapshot } from '../drivers/dmirror-snapshot.ts';
import { gupHold } from '../drivers/gup-test.ts';
import { faultMigrateToDevice } from '../drivers/migrate-on-fault.ts';
import { EBADF, EFAULT, EINVAL } from '../machine/errno.ts';
import { openFilesOf, PROGRAM, pinOf } from '../machine/objects.ts';
import { type Kernel$, ObjectKind, Role, type Step, StepKind } from '../machine/step.ts';
import { cpuReadWord, cpuWriteWord, SIGSEGV } from '../mm/access.ts';
import { dupMmap } from '../mm/fork.ts';
import { pinUserPage } from '../mm/gup.ts';
import { mmapHugetlb } from '../mm/hugetlb.ts';
import type { Kernel } from '../mm/kernel.ts';
import { madvise } from '../mm/madvise.ts';
import { mmapRegion, munmap } from '../mm/mmap.ts';
import { mprotect } from '../mm/mprotect.ts';
import { mremap } from '../mm/mremap.ts';
import { oomReapTaskMm } from '../mm/oom.ts';
import { clearSoftDirty, pagemapScan, readPagemap } from '../mm/pagemap.ts';
import { evictFile, fileRead, fileWrite, fillFile, newFile } from '../mm/shmem.ts';
import { uffdRegister, uffdUnregister } from '../mm/userfaultfd.ts';

import { VM_READ, VM_SHARED, VM_WRITE } from '../mm/vma.ts';
import type { Op, OpNamed } from './ops.ts';
import { tagRuns, valueRuns } from './runs.ts';
import type { Result } from './schema.ts';
import { type DeviceFile, fileStep, type System } from './system.ts';
import { uffdCopyPages, uffdServe, uffdStop } from './userfault-ops.ts';
import { FILE_WORD, outcome, wordOf, wordPages } from './values.ts';

const PROT = { none: 0, r: VM_READ, rw: VM_READ | VM_WRITE } as const;

/** First word of page `i` of a file. */
const fileWord = (i: number): number => FILE_WORD + i;

/** The first 8 bytes of each page, little endian. */
function firstWords(data: Uint8Array, pageBytes: number): number[] {
  const view = new DataView(data.buffer, data.byteOffset, data.byteLength);
  const words: number[] = [];
  for (let at = 0; at < data.length; at += pageBytes) {
    words.push(view.getUint32(at, true) + view.getUint32(at + 4, true) * 2 ** 32);
  }
  return words;
}

function* mmap(
  system: System,
  op: OpNamed<'mmap'>,
  start: number,
  mirror: Dmirror,
): Kernel$<Result> {
  const k = system.kernel;
  const { mm } = system.process(op.proc);
  const end = start + op.pages;
  if (op.kind === 'hugetlb') return outcome(yield* mmapHugetlb(k, mm, start, end, PROT[op.prot]));
  if (op.kind === 'driver') {
    return outcome(yield* dmirrorMmap(k, mirror, mm, start, end, PROT[op.prot]));
  }
  const shared = op.kind === 'anon-shared' || op.kind === 'file-shared';
  const backed = op.kind === 'file-private' || op.kind === 'file-shared';
  const file = op.kind === 'anon' ? null : newFile(k, op.pages);
  if (file && op.kind === 'anon-shared') file.promised = true;
  if (file && backed) {
    const filled = yield* fillFile(k, file, fileWord);
    if (filled) return outcome(filled);
  }
  const flags = PROT[op.prot] | (shared ? VM_SHARED : 0);
  const ret = yield* mmapRegion(k, mm, start, end, flags, file);
  if (ret && file) yield* evictFile(k, file);
  else if (file && backed) {
    if (k.stepping && system.keepsFiles) yield openFilesStep(k, op.proc, Role.Write);
    system.keepOpen(system.process(op.proc), file, start);
  }
  return outcome(ret);
}

/** The step before a process's open files are looked at, or others take their places. */
function openFilesStep(k: Kernel, proc: number, role: Role): Step {
  const step = k.step(StepKind.Shared, ObjectKind.Program, openFilesOf(proc), role);
  // a fork copies them
  return role === Role.Read ? step : step.and(ObjectKind.Program, PROGRAM, Role.Commute);
}

/** pread() or pwrite() of the files that were mapped at a range, a page after the other. */
function* fileAccess(
  system: System,
  op: OpNamed<'file_read'> | OpNamed<'file_write'>,
  start: number,
): Kernel$<Result> {
  const k = system.kernel;
  const { opened } = system.process(op.proc);
  const size = k.geometry.pageBytes;
  const words: number[] = [];
  for (let i = 0; i < op.pages; i++) {
    if (k.stepping) yield openFilesStep(k, op.proc, Role.Read);
    const open = opened.get(start + i);
    if (!open) return outcome(-EBADF);
    const page = op.op === 'file_write' ? wordPages(op.tag, i, 1, size) : new Uint8Array(size);
    const ret =
      op.op === 'file_write'
        ? yield* fileWrite(k, open.file, open.index, page)
        : yield* fileRead(k, open.file, open.index, page);
    if (ret < 0) return outcome(ret);
    words.push(...firstWords(page, size));
  }
  return op.op === 'file_write' ? outcome(0) : { ret: 'ok', tags: tagRuns(words) };
}

function* cpuAccess(
  system: System,
  op: OpNamed<'cpu_write'> | OpNamed<'cpu_read'>,
  start: number,
): Kernel$<Result> {
  const k = system.kernel;
  const { mm } = system.process(op.proc);
  const words: number[] = [];
  let ret = 'ok';
  let done = 0;
  for (; done < op.pages; done++) {
    const got =
      op.op === 'cpu_write'
        ? yield* cpuWriteWord(k, mm, start + done, wordOf(op.tag, done))
        : yield* cpuReadWord(k, mm, start + done);
    if (got < 0) {
      ret = got === SIGSEGV ? 'SEGV' : 'BUS';
      break;
    }
    if (op.op === 'cpu_read') words.push(got);
  }
  return op.op === 'cpu_read' ? { ret, done, tags: tagRuns(words) } : { ret, done };
}

/** A device operation's result: what of it an operation reports. */
function deviceResult(
  system: System,
  result: DeviceResult,
  fields: { faults?: boolean; tags?: boolean },
): Result {
  if (result.ret) return outcome(result.ret);
  const out: Result = { ret: 'ok', cpages: result.cpages };
  if (fields.faults) out.faults = result.faults;
  if (fields.tags && result.data) {
    out.tags = tagRuns(firstWords(result.data, system.kernel.geometry.pageBytes));
  }
  return out;
}

function* deviceWrite(
  system: System,
  op: OpNamed<'dev_write'>,
  mirror: Dmirror,
  start: number,
): Kernel$<Result> {
  const size = system.kernel.geometry.pageBytes;
  const data = wordPages(op.tag, 0, op.pages, size);
  const result = yield* deviceAccess(system.kernel, mirror, start, start + op.pages, data);
  return deviceResult(system, result, { faults: true });
}

/** The step before a process's pins are looked at or changed: a child gets them all. */
function pinStep(k: Kernel, proc: number, id: number): Step {
  const step = k.step(StepKind.Shared, ObjectKind.Program, PROGRAM, Role.Commute);
  return step.and(ObjectKind.Program, pinOf(proc, id), Role.Write);
}

function* pin(system: System, op: OpNamed<'pin'>, vpn: number): Kernel$<Result> {
  const k = system.kernel;
  const process = system.process(op.proc);
  const page = yield* pinUserPage(k, process.mm, vpn);
  if (k.stepping) yield pinStep(k, op.proc, op.id);
  if (page < 0) {
    process.pins.set(op.id, null);
    return outcome(page);
  }
  const taken = { page, processes: new Set([op.proc]) };
  system.pins.add(taken);
  process.pins.set(op.id, taken);
  return outcome(0);
}

function* gup(system: System, op: OpNamed<'gup'>, vpn: number): Kernel$<Result> {
  const k = system.kernel;
  const { mm, pins } = system.process(op.proc);
  const held = yield* gupHold(k, mm, op.how, vpn, op.pages, op.write === 1);
  if (k.stepping) yield pinStep(k, op.proc, op.id);
  if (typeof held === 'number') {
    pins.set(op.id, null);
    return outcome(held);
  }
  system.holds.add(held);
  pins.set(op.id, held);
  return { ret: 'ok', done: held.pages.length };
}

function* unpin(system: System, op: OpNamed<'unpin'>): Kernel$<Result> {
  const k = system.kernel;
  const { pins } = system.process(op.proc);
  if (k.stepping) yield pinStep(k, op.proc, op.id);
  const held = pins.get(op.id);
  pins.delete(op.id);
  if (held && 'processes' in held) yield* system.dropPin(held, op.proc);
  else if (held) yield* system.dropHold(held);
  return outcome(0);
}

function* fork(system: System, op: OpNamed<'fork'>): Kernel$<Result> {
  const parent = system.process(op.proc);
  const mm = system.kernel.newMm();
  const ret = yield* dupMmap(system.kernel, mm, parent.mm);
  const k = system.kernel;
  if (k.stepping) yield k.step(StepKind.Shared, ObjectKind.Program, PROGRAM, Role.Write);
  const { files } = parent;
  // a pipe is the child's too, what `gup` holds is not
  const pins = new Map([...parent.pins].filter(([, held]) => held === null || 'processes' in held));
  for (const file of parent.kept) file.opened++;
  system.processes[op.child] = {
    mm,
    pins,
    files: [...files],
    held: new Set(parent.held),
    opened: new Map(parent.opened),
    kept: [...parent.kept],
    ended: false,
    monitorStops: false,
  };
  for (const held of system.pins) {
    if (held.processes.has(op.proc)) held.processes.add(op.child);
  }
  return outcome(ret);
}

/** The device whose open file an operation is about; -1: none. */
function deviceOf(op: Op): number {
  if ('dev' in op) return op.dev;
  return op.op === 'mmap' && op.kind === 'driver' ? 0 : -1;
}

/** The file that a process has of a device, as it is after the step before it is used. */
function* openFile(system: System, proc: number, dev: number, role: Role): Kernel$<DeviceFile> {
  const k = system.kernel;
  const { files } = system.process(proc);
  let file = files[dev];
  if (k.stepping) yield fileStep(k, file, role);
  while (files[dev] !== file) {
    file = files[dev];
    if (k.stepping) yield fileStep(k, file, role);
  }
  return file;
}

/** What an operation returns whose address space has ended (mmget_not_zero()); null: it needs none. */
function withoutMm(op: Op): Result | null {
  switch (op.op) {
    case 'dev_read':
    case 'dev_read_unlocked':
    case 'dev_write':
    case 'fault_migrate_to_dev':
      return outcome(-EFAULT);
    case 'check_exclusive':
    case 'fail_alloc':
    case 'evict':
    case 'mmap':
    case 'release':
      return null;
    default:
      return outcome(-EINVAL);
  }
}

/** A device that was closed while its own pages were mapped goes with the last of the mappings. */
function* releaseUnmapped(system: System): Kernel$<void> {
  const k = system.kernel;
  for (const file of system.files) {
    if (file.mirror.mapped.size === 0) continue;
    if (k.stepping) yield fileStep(k, file, Role.Commute);
    yield* system.release(file);
  }
}

/**
 * Performs one operation.
 * @returns what the operation returned
 */
export function* perform(system: System, op: Op): Kernel$<Result> {
  const k = system.kernel;
  const dev = deviceOf(op);
  if (dev < 0) {
    const result = yield* act(system, op);
    yield* releaseUnmapped(system);
    return result;
  }
  const alone = op.op === 'close' || op.op === 'open';
  const file = yield* openFile(system, op.proc, dev, alone ? Role.Write : Role.Commute);
  if (op.op === 'open') {
    yield* system.open(op.proc, op.dev);
    return outcome(0);
  }
  if (!system.process(op.proc).held.has(file)) return outcome(-EBADF);
  let result = outcome(0);
  if (op.op === 'close') system.drop(op.proc, file);
  else {
    file.users++;
    const dead = file.mirror.mm.ended ? withoutMm(op) : null;
    result = dead ?? (yield* act(system, op, file.mirror));
    // whoever is last lets a closed device go, or the memory of a process that has ended
    const last = file.closed || system.isEnding(file) ? Role.Write : Role.Commute;
    if (k.stepping) yield fileStep(k, file, last);
    file.users--;
  }
  yield* system.release(file);
  return result;
}

function* act(system: System, op: Op, mirror = system.mirrors[0]): Kernel$<Result> {
  const k = system.kernel;
  const { mm } = system.process(op.proc);
  const start = 'buf' in op ? k.geometry.vpnOf(op.buf, op.page) : 0;
  const end = start + ('pages' in op ? op.pages : 0);
  switch (op.op) {
    case 'mmap':
      return yield* mmap(system, op, start, mirror);
    case 'munmap': {
      const ret = yield* munmap(k, mm, start, end);
      if (k.stepping && system.keepsFiles) yield openFilesStep(k, op.proc, Role.Write);
      if (!ret) system.moveOpen(op.proc, start, op.pages, -1, false);
      return outcome(ret);
    }
    case 'mprotect':
      return outcome(yield* mprotect(k, mm, start, end, PROT[op.prot]));
    case 'madvise':
      return outcome(yield* madvise(k, mm, start, end, op.advice));
    case 'mremap':
    case 'mremap_dontunmap': {
      const to = k.geometry.vpnOf(op.toBuf, op.toPage);
      const keep = op.op === 'mremap_dontunmap';
      const ret = yield* mremap(k, mm, start, op.pages, to, keep);
      if (k.stepping && system.keepsFiles) yield openFilesStep(k, op.proc, Role.Write);
      if (!ret) system.moveOpen(op.proc, start, op.pages, to, keep);
      return outcome(ret);
    }
    case 'cpu_write':
    case 'cpu_read':
      return yield* cpuAccess(system, op, start);
    case 'file_read':
    case 'file_write':
      return yield* fileAccess(system, op, start);
    case 'dev_read': {
      const result = yield* deviceAccess(k, mirror, start, end, null);
      return deviceResult(system, result, { faults: true, tags: true });
    }
    case 'dev_read_unlocked': {
      const result = yield* deviceReadUnlocked(k, mirror, start, end);
      return deviceResult(system, result, { faults: true, tags: true });
    }
    case 'dev_write':
      return yield* deviceWrite(system, op, mirror, start);
    case 'migrate_to_dev': {
      const result = yield* migrateToDevice(k, mirror, start, end);
      return deviceResult(system, result, { faults: true, tags: true });
    }
    case 'migrate_to_sys':
      return deviceResult(system, yield* migrateToSystem(k, mirror, start, end), {});
    case 'fault_migrate_to_dev': {
      const result = yield* faultMigrateToDevice(k, mirror, start, end, op.write === 1);
      return deviceResult(system, result, { tags: true });
    }
    case 'exclusive': {
      const result = yield* deviceExclusive(k, mirror, start, end);
      return deviceResult(system, result, { faults: true, tags: true });
    }
    case 'check_exclusive':
      return outcome(yield* checkExclusive(mirror, start, end));
    case 'fail_alloc':
      if (k.stepping) yield deviceFlagStep(k, mirror);
      mirror.failAlloc = true;
      return outcome(0);
    case 'snapshot': {
      const { ret, prot } = yield* deviceSnapshot(k, mirror, start, end);
      if (ret) return outcome(ret);
      return { ret: 'ok', cpages: prot.length, prot: valueRuns(prot) };
    }
    case 'evict':
      yield* mirror.device.mends.evictAll(k, mirror.device);
      return outcome(0);
    case 'release':
      yield* removeChunks(k, mirror.device);
      return outcome(0);
    case 'open':
    case 'close':
      return outcome(0);
    case 'pagemap':
      return { ret: 'ok', bits: valueRuns(yield* readPagemap(k, mm, start, end)) };
    case 'scan':
      return { ret: 'ok', bits: valueRuns(yield* pagemapScan(k, mm, start, end)) };
    case 'clear_soft_dirty':
      yield* clearSoftDirty(k, mm);
      return outcome(0);
    case 'pin':
      return yield* pin(system, op, start);
    case 'gup':
      return yield* gup(system, op, start);
    case 'unpin':
      return yield* unpin(system, op);
    case 'fork':
      return yield* fork(system, op);
    case 'exit':
      yield* system.exit(op.proc);
      return outcome(0);
    case 'oom_reap':
      return outcome(yield* oomReapTaskMm(k, mm));
    case 'uffd_register':
      return outcome(yield* uffdRegister(k, system.userfaultfd(op.proc), start, end));
    case 'uffd_unregister':
      return outcome(yield* uffdUnregister(k, system.userfaultfd(op.proc), start, end));
    case 'uffd_copy':
      return yield* uffdCopyPages(system, op, start);
    case 'uffd_serve':
      return yield* uffdServe(system, op);
    case 'uffd_stop':
      return yield* uffdStop(system, op);
  }
}
