/**
 * A driver counts the folios of its GPU that are in use. When a huge one is split, its parts are given back one by
 * one: the count goes below zero, unless the driver's `folioSplit()` counts them.
 */
import {
  MIGRATE_PFN_COMPOUND,
  MIGRATE_PFN_MIGRATE,
  MIGRATE_VMA_SELECT_COMPOUND,
  MIGRATE_VMA_SELECT_DEVICE_PRIVATE,
  MIGRATE_VMA_SELECT_SYSTEM,
  migratePfn,
  migratePfnToPfn,
  migrateVmaArgs,
  migrateVmaFinalize,
  migrateVmaPages,
  migrateVmaSetup,
} from 'softleaf/hmm';
import { ArrayDeviceMemory, runToEnd } from 'softleaf/machine';
import {
  DevPagemap,
  folioAlloc,
  memremapPages,
  pagePgmap,
  VM_FAULT_OOM,
  VM_FAULT_SIGBUS,
  zoneDevicePageInit,
} from 'softleaf/mm';
import { under, withTasks } from './lib/with-tasks.mjs';

const HUGE = { buf: 0, page: 0, pages: 4 };
const gpuOf = (k, page) => pagePgmap(k, page).owner;

class CountingGpu {
  /** @param countsSplits whether it counts the parts of a folio that is split */
  constructor(k, countsSplits) {
    this.memory = new ArrayDeviceMemory(k.geometry.pageBytes);
    /** Folios in use, an atomic counter: the step that frees or splits one names the folio. */
    this.inUse = 0;
    const ops = {
      // biome-ignore lint/correctness/useYield: it takes no step of its own
      *folioFree(kernel, folio) {
        const gpu = gpuOf(kernel, folio);
        kernel.warn(gpu.inUse <= 0, 'more folios are given back than were handed out');
        gpu.inUse--;
      },
      migrateToRam: (kernel, vmf) => gpuOf(kernel, vmf.page).migrateToRam(kernel, vmf),
      folioSplit(kernel, head, part) {
        if (part !== null && countsSplits) gpuOf(kernel, head).inUse++;
      },
    };
    this.pagemap = new DevPagemap(this, ops, this.memory, 0);
    memremapPages(k, this.pagemap, HUGE.pages);
  }

  /** A CPU touched a page: that page alone comes back. */
  *migrateToRam(k, vmf) {
    const args = migrateVmaArgs(1, this);
    const flags = MIGRATE_VMA_SELECT_DEVICE_PRIVATE;
    const { vma, vpn, page: faultPage } = vmf;
    Object.assign(args, { vma, start: vpn, end: vpn + 1, flags, faultPage });
    if (yield* migrateVmaSetup(k, args)) return VM_FAULT_SIGBUS;
    const page = migratePfnToPfn(args.src[0]);
    let ret = 0;
    if (page >= 0 && args.src[0] & MIGRATE_PFN_MIGRATE) {
      if (k.stepping) yield k.allocateStep();
      const ram = folioAlloc(k, 0);
      if (ram < 0) ret = VM_FAULT_OOM;
      else {
        k.folioSetLocked(ram);
        if (k.stepping) yield k.copyStep(ram, page);
        k.monitor?.onMove(page);
        this.memory.copyToRam(k.frames, ram, this.pagemap.devicePage(page), 1);
        args.dst[0] = migratePfn(ram);
      }
    }
    yield* migrateVmaPages(k, args);
    yield* migrateVmaFinalize(k, args);
    return ret;
  }

  /** A huge page comes to the GPU. mmap_lock is held. */
  *takeHuge(k, mm, start) {
    const { ptrsPerPte: pages, pmdOrder } = k.geometry;
    const args = migrateVmaArgs(pages, this);
    const flags = MIGRATE_VMA_SELECT_SYSTEM | MIGRATE_VMA_SELECT_COMPOUND;
    Object.assign(args, { vma: mm.lookupVma(start), start, end: start + pages, flags });
    yield* migrateVmaSetup(k, args);
    const to = this.pagemap.start;
    zoneDevicePageInit(k, to, pmdOrder);
    this.inUse++;
    const from = migratePfnToPfn(args.src[0]);
    k.monitor?.onMove(from);
    this.memory.copyFromRam(this.pagemap.devicePage(to), k.frames, from, pages);
    args.dst[0] = migratePfn(to) | MIGRATE_PFN_COMPOUND;
    yield* migrateVmaPages(k, args);
    yield* migrateVmaFinalize(k, args);
  }
}

const scenario = (name, countsSplits) =>
  withTasks(
    {
      name,
      setup: [
        { op: 'mmap', ...HUGE, prot: 'rw', kind: 'anon' },
        { op: 'madvise', ...HUGE, advice: 'hugepage' },
        { op: 'cpu_write', ...HUGE, tag: 1 },
      ],
      tasks: {
        cpu: [{ op: 'cpu_read', ...HUGE, page: 1, pages: 1, expect: { tags: [[65537, 1, 0]] } }],
        other: [{ op: 'munmap', ...HUGE, page: 3, pages: 1 }],
      },
      after: [
        { op: 'cpu_read', ...HUGE, pages: 3, expect: { tags: [[65536, 3, 1]] } },
        { op: 'munmap', ...HUGE, pages: 3 },
      ],
    },
    {},
    {
      prepare({ k, system, own }) {
        own.gpu = new CountingGpu(k, countsSplits);
        const { mm } = system.process(0);
        const take = () => own.gpu.takeHuge(k, mm, k.geometry.vpnOf(0, 0));
        runToEnd(k, under(k, mm.mmapLock, take, true));
      },
    },
  );

export const wrong = scenario('a split that is not counted', false);
export const right = scenario('a split that is counted', true);
export default [wrong, right];
