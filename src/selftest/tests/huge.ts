/** Huge pages go to the device and come back, whole or in parts. */
import type { Kernel$ } from '../../machine/step.ts';
import { PM_PRESENT, PM_SWAP } from '../../mm/pagemap.ts';
import type { HmmBuffer } from '../buffer.ts';
import { FLAG_FAIL_ALLOC } from '../device-file.ts';
import { test } from '../harness.ts';
import { PROT_READ, PROT_READ_WRITE } from '../process.ts';
import type { Test } from '../test.ts';
import { COUNT, ZERO } from '../test-words.ts';
import {
  HMM_DMIRROR_PROT_DEV_PRIVATE_LOCAL,
  HMM_DMIRROR_PROT_PMD,
  HMM_DMIRROR_PROT_WRITE,
} from '../uapi.ts';

/** A buffer of twice a huge page, in the midst of it memory that may be a huge page. */
interface HugeBuffer {
  readonly buffer: HmmBuffer;
  readonly oldPtr: number;
  readonly map: number;
  readonly npages: number;
}

/** The mirror is full of ones, so that nothing can be taken for what was read. */
function* hugeBuffer(t: Test, prot: number, mirrorPages = t.hugePages): Kernel$<HugeBuffer> {
  const npages = t.hugePages;
  const buffer = yield* t.buffer(2 * npages, mirrorPages, prot);
  buffer.mirror.fill(0xff);
  const oldPtr = buffer.ptr;
  const map = t.firstHuge(oldPtr);
  buffer.ptr = map;
  return { buffer, oldPtr, map, npages };
}

function* adviseHuge(t: Test, map: number): Kernel$<void> {
  const ret = yield* t.process.madvise(map, t.hugePages, 'hugepage');
  t.assertEq({ ret }, 0);
}

function* freeHuge(t: Test, { buffer, oldPtr }: HugeBuffer): Kernel$<void> {
  buffer.ptr = oldPtr;
  yield* t.free(buffer);
}

export const migrateAnonHugeEmpty = test('hmm', 'migrate_anon_huge_empty', function* (t) {
  const huge = yield* hugeBuffer(t, PROT_READ);
  const { buffer, npages } = huge;
  yield* adviseHuge(t, huge.map);
  t.assertDone(yield* t.fd.migrateToDevice(buffer, npages), buffer, npages);
  t.assertMirror(buffer, npages, ZERO);
  yield* freeHuge(t, huge);
});

export const migrateAnonHugeZero = test('hmm', 'migrate_anon_huge_zero', function* (t) {
  const { process, fd } = t;
  const huge = yield* hugeBuffer(t, PROT_READ);
  const { buffer, npages } = huge;
  yield* adviseHuge(t, huge.map);
  // the huge zero page
  const val = yield* process.readInt(buffer.ptr, 0);
  t.assertEq({ val }, 0);
  t.assertDone(yield* fd.migrateToDevice(buffer, npages), buffer, npages);
  t.assertMirror(buffer, npages, ZERO);
  yield* t.assertMemory(process, buffer.ptr, npages, ZERO);
  yield* freeHuge(t, huge);
});

export const migrateAnonHugeFree = test('hmm', 'migrate_anon_huge_free', function* (t) {
  const { process, fd } = t;
  const huge = yield* hugeBuffer(t, PROT_READ_WRITE);
  const { buffer, map, npages } = huge;
  yield* adviseHuge(t, map);
  yield* process.write(buffer.ptr, npages, COUNT);
  t.assertDone(yield* fd.migrateToDevice(buffer, npages), buffer, npages);
  t.assertMirror(buffer, npages, COUNT);
  const ret = yield* process.madvise(map, npages, 'free');
  t.assertEq({ ret }, 0);
  yield* freeHuge(t, huge);
});

/** Base pages are collapsed to a huge one, which goes and comes back whole. */
export const migrateAnonHugeFault = test('hmm', 'migrate_anon_huge_fault', function* (t) {
  const { process, fd } = t;
  const huge = yield* hugeBuffer(t, PROT_READ_WRITE);
  const { buffer, map, npages } = huge;
  yield* process.write(buffer.ptr, npages, COUNT);
  const ret = yield* process.madvise(map, npages, 'collapse');
  t.assertEq({ ret }, 0);
  t.assertDone(yield* fd.migrateToDevice(buffer, npages), buffer, npages);
  t.assertMirror(buffer, npages, COUNT);

  if (!t.isCoherent) {
    t.assertDone(yield* fd.snapshot(buffer, npages), buffer, npages);
    const prot = HMM_DMIRROR_PROT_DEV_PRIVATE_LOCAL | HMM_DMIRROR_PROT_WRITE | HMM_DMIRROR_PROT_PMD;
    const text =
      'HMM_DMIRROR_PROT_DEV_PRIVATE_LOCAL | HMM_DMIRROR_PROT_WRITE | HMM_DMIRROR_PROT_PMD';
    for (let i = 0; i < npages; i++) t.assertEq({ 'm[i]': buffer.mirror[i] }, { [text]: prot });
    for (const entry of yield* process.pagemap(buffer.ptr, npages)) {
      t.assertNe({ 'entry & PM_SWAP': entry & PM_SWAP }, 0);
      t.assertEq(0, { 'PAGEMAP_PRESENT(entry)': entry & PM_PRESENT });
    }
  }
  yield* t.assertMemory(process, buffer.ptr, npages, COUNT);
  yield* freeHuge(t, huge);
});

/** Half of what is on the device is unmapped there. */
export const migratePartialUnmapFault = test('hmm', 'migrate_partial_unmap_fault', function* (t) {
  const { process, fd } = t;
  const unmapped = t.hugePages / 2;
  for (const advice of ['nohugepage', 'hugepage'] as const) {
    for (const offset of offsetsIn(t)) {
      const huge = yield* hugeBuffer(t, PROT_READ_WRITE);
      const { buffer, map, npages } = huge;
      const ret = yield* process.madvise(map, npages, advice);
      t.assertEq({ ret }, 0);
      yield* process.write(buffer.ptr, npages, COUNT);
      t.assertDone(yield* fd.migrateToDevice(buffer, npages), buffer, npages);
      t.assertMirror(buffer, npages, COUNT);
      yield* process.munmap(buffer.ptr + offset, unmapped);
      yield* t.assertMemory(process, buffer.ptr, offset, COUNT);
      yield* t.assertMemory(process, buffer.ptr, npages, COUNT, offset + unmapped);
      yield* freeHuge(t, huge);
    }
  }
});

/** None, a quarter and half of a huge page. */
function offsetsIn(t: Test): number[] {
  return [0, t.hugePages / 4, t.hugePages / 2];
}

/** Memory is moved before or after it goes to the device, to a place of another alignment. */
export const migrateRemapFault = test('hmm', 'migrate_remap_fault', function* (t) {
  for (const before of [false, true]) {
    for (const dontUnmap of [false, true]) {
      for (const advice of ['nohugepage', 'hugepage'] as const) {
        for (const offset of offsetsIn(t)) {
          yield* remapFault(t, before, dontUnmap, advice, offset);
        }
      }
    }
  }
});

function* remapFault(
  t: Test,
  before: boolean,
  dontUnmap: boolean,
  advice: 'nohugepage' | 'hugepage',
  offset: number,
): Kernel$<void> {
  const { process, fd } = t;
  const npages = t.hugePages;
  const buffer = yield* t.buffer(8 * npages, npages, PROT_READ_WRITE);
  buffer.mirror.fill(0xff);
  const oldPtr = buffer.ptr;
  const map = t.firstHuge(oldPtr);
  const ret = yield* process.madvise(map, npages, advice);
  t.assertEq({ ret }, 0);
  // room to move to
  yield* process.munmap(map + npages, npages * 2);
  buffer.ptr = map;
  yield* process.write(buffer.ptr, npages, COUNT);

  const move = function* () {
    const newPtr = yield* process.mremap(map, npages, map + npages + offset, dontUnmap);
    t.assertNe({ new_ptr: newPtr }, { MAP_FAILED: newPtr < 0 ? newPtr : -1 });
    buffer.ptr = newPtr;
  };
  if (before) yield* move();
  t.assertDone(yield* fd.migrateToDevice(buffer, npages), buffer, npages);
  t.assertMirror(buffer, npages, COUNT);
  if (!before) yield* move();
  yield* t.assertMemory(process, buffer.ptr, npages, COUNT);
  yield* process.munmap(buffer.ptr, npages);
  buffer.ptr = oldPtr;
  yield* t.free(buffer);
}

/** The int on the third page of a huge one. */
const ON_PAGE_TWO = 2048;

/** No huge page is to be had: not on the device, and then not in RAM. */
export const migrateAnonHugeErr = test('hmm', 'migrate_anon_huge_err', function* (t) {
  const { process, fd } = t;
  const huge = yield* hugeBuffer(t, PROT_READ_WRITE, 2 * t.hugePages);
  const { buffer, npages } = huge;
  yield* adviseHuge(t, huge.map);
  yield* process.write(buffer.ptr, npages, COUNT);
  let ret = fd.setFlags(FLAG_FAIL_ALLOC);
  t.assertEq({ ret }, 0);
  t.assertDone(yield* fd.migrateToDevice(buffer, npages), buffer, npages);
  t.assertMirror(buffer, npages, COUNT);
  let value = yield* process.readInt(buffer.ptr, ON_PAGE_TWO);
  t.assertEq({ 'ptr[2048]': value }, ON_PAGE_TWO);

  const again = yield* mapAgain(t, huge, PROT_READ_WRITE);
  yield* process.write(buffer.ptr, npages, COUNT);
  t.assertDone(yield* fd.migrateToDevice(buffer, npages), buffer, npages);
  ret = fd.setFlags(FLAG_FAIL_ALLOC);
  t.assertEq({ ret }, 0);
  ret = yield* fd.migrateToSystem(buffer, npages);
  t.assertEq({ ret }, 0);
  value = yield* process.readInt(buffer.ptr, ON_PAGE_TWO);
  t.assertEq({ 'ptr[2048]': value }, ON_PAGE_TWO);
  yield* freeHuge(t, again);
});

/** As migrate_anon_huge_err, where there is nothing and where the huge zero page is. */
export const migrateAnonHugeZeroErr = test('hmm', 'migrate_anon_huge_zero_err', function* (t) {
  const { process, fd } = t;
  const huge = yield* hugeBuffer(t, PROT_READ, 2 * t.hugePages);
  const { buffer, npages } = huge;
  yield* adviseHuge(t, huge.map);
  let ret = fd.setFlags(FLAG_FAIL_ALLOC);
  t.assertEq({ ret }, 0);
  t.assertDone(yield* fd.migrateToDevice(buffer, npages), buffer, npages);
  t.assertMirror(buffer, npages, ZERO);
  const value = yield* process.readInt(buffer.ptr, ON_PAGE_TWO);
  t.assertEq({ 'ptr[2048]': value }, 0);

  const before = buffer.ptr;
  const again = yield* mapAgain(t, huge, PROT_READ);
  ret = yield* process.readInt(before, 0);
  t.assertEq({ ret }, 0);
  ret = fd.setFlags(FLAG_FAIL_ALLOC);
  t.assertEq({ ret }, 0);
  t.assertDone(yield* fd.migrateToDevice(buffer, npages), buffer, npages);
  yield* t.assertMemory(process, buffer.ptr, npages, ZERO);
  yield* freeHuge(t, again);
});

/** The buffer's memory is unmapped, and as much of it mapped again. */
function* mapAgain(t: Test, { buffer, oldPtr }: HugeBuffer, prot: number): Kernel$<HugeBuffer> {
  const { process, hugePages: npages } = t;
  const ret = yield* process.munmap(oldPtr, buffer.pages);
  t.assertEq({ ret }, 0);
  const ptr = yield* process.mmap(buffer.pages, prot);
  t.assertNe({ old_ptr: ptr }, { MAP_FAILED: ptr < 0 ? ptr : -1 });
  const map = t.firstHuge(ptr);
  yield* adviseHuge(t, map);
  buffer.ptr = map;
  return { buffer, oldPtr: ptr, map, npages };
}
