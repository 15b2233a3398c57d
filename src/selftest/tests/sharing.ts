/** Two devices, a device and a CPU, a parent and a child with the same memory. */

import { EPERM } from '../../machine/errno.ts';
import type { Kernel$ } from '../../machine/step.ts';
import { test } from '../harness.ts';
import { PROT_NONE, PROT_READ, PROT_READ_WRITE, type TestProcess } from '../process.ts';

import { type ExitStatus, negative, type Test } from '../test.ts';
import { COUNT, Words } from '../test-words.ts';
import {
  HMM_DMIRROR_PROT_DEV_COHERENT_LOCAL,
  HMM_DMIRROR_PROT_DEV_COHERENT_REMOTE,
  HMM_DMIRROR_PROT_DEV_PRIVATE_LOCAL,
  HMM_DMIRROR_PROT_ERROR,
  HMM_DMIRROR_PROT_NONE,
  HMM_DMIRROR_PROT_PMD,
  HMM_DMIRROR_PROT_PUD,
  HMM_DMIRROR_PROT_READ,
  HMM_DMIRROR_PROT_WRITE,
  HMM_DMIRROR_PROT_ZERO,
} from '../uapi.ts';
import { BUFFER_PAGES } from './sizes.ts';

const COHERENT_LOCAL_WRITE = {
  'HMM_DMIRROR_PROT_DEV_COHERENT_LOCAL | HMM_DMIRROR_PROT_WRITE':
    HMM_DMIRROR_PROT_DEV_COHERENT_LOCAL | HMM_DMIRROR_PROT_WRITE,
};

/** What the driver is told for each page of a buffer, and how it takes pages then. */
const GUP_COMMANDS = [
  ['GUP_BASIC_TEST', 'get'],
  ['GUP_FAST_BENCHMARK', 'get_fast'],
  ['PIN_FAST_BENCHMARK', 'pin_fast_longterm'],
  ['PIN_LONGTERM_BENCHMARK', 'pin_longterm'],
] as const;

const NEXT = new Words('i + 1', 1, 1);

/** What a snapshot says of pages of every kind. */
export const snapshot = test('hmm2', 'snapshot', function* (t) {
  const { process, fds } = t;
  const [fd0, fd1] = fds;
  const npages = 7;
  const buffer = yield* t.buffer(npages, npages, PROT_NONE);
  const p = buffer.ptr;
  // a hole after the first page
  let ret = yield* process.munmap(p + 1, 1);
  t.assertEq({ ret }, 0);
  // page 2: the zero page, read-only
  ret = yield* process.mprotect(p + 2, 1, PROT_READ);
  t.assertEq({ ret }, 0);
  const val = (yield* process.readInt(p + 2, 0)) + 3;
  t.assertEq({ val }, 3);
  // page 3: read-only
  ret = yield* process.mprotect(p + 3, 1, PROT_READ_WRITE);
  t.assertEq({ ret }, 0);
  yield* process.writeInt(p + 3, val);
  ret = yield* process.mprotect(p + 3, 1, PROT_READ);
  t.assertEq({ ret }, 0);
  // pages 4 to 6: writable, and two of them on a device each
  ret = yield* process.mprotect(p + 4, 3, PROT_READ_WRITE);
  t.assertEq({ ret }, 0);
  yield* process.writeInt(p + 4, val);
  buffer.ptr = p + 5;
  ret = yield* fd0.migrateToDevice(buffer, 1);
  t.assertEq({ ret }, 0);
  t.assertEq({ 'buffer->cpages': buffer.cpages }, 1);
  buffer.ptr = p + 6;
  ret = yield* fd1.migrateToDevice(buffer, 1);
  t.assertEq({ ret }, 0);
  t.assertEq({ 'buffer->cpages': buffer.cpages }, 1);

  buffer.ptr = p;
  ret = yield* fd0.snapshot(buffer, npages);
  t.assertDone(ret, buffer, npages);
  const m = buffer.mirror;
  t.assertEq({ 'm[0]': m[0] }, { HMM_DMIRROR_PROT_ERROR });
  t.assertEq({ 'm[1]': m[1] }, { HMM_DMIRROR_PROT_ERROR });
  t.assertEq(
    { 'm[2]': m[2] },
    {
      'HMM_DMIRROR_PROT_ZERO | HMM_DMIRROR_PROT_READ':
        HMM_DMIRROR_PROT_ZERO | HMM_DMIRROR_PROT_READ,
    },
  );
  t.assertEq({ 'm[3]': m[3] }, { HMM_DMIRROR_PROT_READ });
  t.assertEq({ 'm[4]': m[4] }, { HMM_DMIRROR_PROT_WRITE });
  if (t.isCoherent) {
    t.assertEq({ 'm[5]': m[5] }, COHERENT_LOCAL_WRITE);
    t.assertEq(
      { 'm[6]': m[6] },
      {
        'HMM_DMIRROR_PROT_DEV_COHERENT_REMOTE | HMM_DMIRROR_PROT_WRITE':
          HMM_DMIRROR_PROT_DEV_COHERENT_REMOTE | HMM_DMIRROR_PROT_WRITE,
      },
    );
  } else {
    t.assertEq(
      { 'm[5]': m[5] },
      {
        'HMM_DMIRROR_PROT_DEV_PRIVATE_LOCAL | HMM_DMIRROR_PROT_WRITE':
          HMM_DMIRROR_PROT_DEV_PRIVATE_LOCAL | HMM_DMIRROR_PROT_WRITE,
      },
    );
    t.assertEq({ 'm[6]': m[6] }, { HMM_DMIRROR_PROT_NONE });
  }
  yield* t.free(buffer);
});

/** What a driver maps of its own. */
export const mixedmap = test('hmm', 'mixedmap', function* (t) {
  const { fd } = t;
  const npages = 1;
  const buffer = yield* t.buffer(npages, npages, PROT_READ_WRITE, { device: fd });
  t.assertDone(yield* fd.snapshot(buffer, npages), buffer, npages);
  t.assertEq({ 'm[0]': buffer.mirror[0] }, { HMM_DMIRROR_PROT_READ });
  yield* t.free(buffer);
});

/** A huge page of the pool is one entry, whatever it lets one do. */
export const compound = test('hmm', 'compound', function* (t) {
  const { process, fd } = t;
  t.needHugetlb();
  const npages = t.hugePages;
  const buffer = yield* t.buffer(npages, npages, PROT_READ_WRITE, { hugetlb: true });
  yield* process.write(buffer.ptr, npages, COUNT);
  const m = buffer.mirror;
  for (const right of [HMM_DMIRROR_PROT_WRITE, HMM_DMIRROR_PROT_READ]) {
    if (right === HMM_DMIRROR_PROT_READ) {
      const ret = yield* process.mprotect(buffer.ptr, npages, PROT_READ);
      t.assertEq({ ret }, 0);
    }
    t.assertDone(yield* fd.snapshot(buffer, npages), buffer, npages);
    // the size of a huge page is the machine's affair, but it is the same everywhere
    const level = m[0] & HMM_DMIRROR_PROT_PUD ? HMM_DMIRROR_PROT_PUD : HMM_DMIRROR_PROT_PMD;
    for (let i = 0; i < npages; i++) t.assertEq({ 'm[i]': m[i] }, { prot: right | level });
  }
  yield* t.free(buffer);
});

export const doubleMap = test('hmm2', 'double_map', function* (t) {
  const { process, fds } = t;
  const [fd0, fd1] = fds;
  const npages = 6;
  const buffer = yield* t.buffer(npages, npages, PROT_READ_WRITE);
  yield* process.write(buffer.ptr, npages, COUNT);
  const ret = yield* process.mprotect(buffer.ptr, npages, PROT_READ);
  t.assertEq({ ret }, 0);
  for (const fd of [fd0, fd1]) {
    t.assertDone(yield* fd.read(buffer, npages), buffer, npages, 1);
    t.assertMirror(buffer, npages, COUNT);
  }
  // device 0 has to fault what device 1 has now
  t.assertDone(yield* fd1.migrateToDevice(buffer, npages), buffer, npages);
  t.assertDone(yield* fd0.read(buffer, npages), buffer, npages, 1);
  t.assertMirror(buffer, npages, COUNT);
  yield* t.free(buffer);
});

/** A CPU looks at every int and adds one; then it looks again. */
function* addOneToAll(t: Test, process: TestProcess, start: number, npages: number): Kernel$<void> {
  for (let at = 0; at < npages; at++) {
    const ints = yield* process.readPage(start + at);
    t.assertInts(ints, at * ints.length, COUNT);
    yield* process.write(start, at + 1, NEXT, at);
  }
  yield* t.assertMemory(process, start, npages, NEXT);
}

export const exclusive = test('hmm', 'exclusive', function* (t) {
  const { process, fd } = t;
  const npages = BUFFER_PAGES;
  const buffer = yield* t.buffer(npages, npages, PROT_READ_WRITE);
  yield* process.write(buffer.ptr, npages, COUNT);
  t.assertDone(yield* fd.exclusive(buffer, npages), buffer, npages);
  t.assertMirror(buffer, npages, COUNT);
  yield* addOneToAll(t, process, buffer.ptr, npages);
  // the device has none of it for itself any more
  const ret = yield* fd.checkExclusive(buffer, npages);
  t.assertEq({ ret }, 0);
  yield* t.free(buffer);
});

export const exclusiveMprotect = test('hmm', 'exclusive_mprotect', function* (t) {
  const { process, fd } = t;
  const npages = BUFFER_PAGES;
  const buffer = yield* t.buffer(npages, npages, PROT_READ_WRITE);
  yield* process.write(buffer.ptr, npages, COUNT);
  t.assertDone(yield* fd.exclusive(buffer, npages), buffer, npages);
  t.assertMirror(buffer, npages, COUNT);
  let ret = yield* process.mprotect(buffer.ptr, npages, PROT_READ);
  t.assertEq({ ret }, 0);
  ret = yield* fd.write(buffer, npages);
  t.assertEq({ ret }, negative(EPERM));
  yield* t.free(buffer);
});

/** Parent and child write at the same time to what a device had for itself. */
export const exclusiveCow = test('hmm', 'exclusive_cow', function* (t) {
  const { process, fd } = t;
  const npages = BUFFER_PAGES;
  const buffer = yield* t.buffer(npages, npages, PROT_READ_WRITE);
  yield* process.write(buffer.ptr, npages, COUNT);
  t.assertDone(yield* fd.exclusive(buffer, npages), buffer, npages);

  const child = yield* process.fork();
  let status: ExitStatus = { signal: 0, code: 1 };
  const theChild = function* () {
    status = yield* t.child(child, addOneToAll(t, child, buffer.ptr, npages));
  };
  t.together({ parent: addOneToAll(t, process, buffer.ptr, npages), child: theChild() });
  t.assertNe(0, { 'WIFEXITED(status)': status.signal === 0 ? 1 : 0 });
  t.assertEq({ 'WEXITSTATUS(status)': status.code }, 0);
  yield* t.free(buffer);
});

/**
 * Pages of a device are taken from outside: a private device's come back to RAM for that, a coherent
 * one's only where they are to be held for long.
 */
export const gup = test('hmm', 'hmm_gup_test', function* (t) {
  const { process, fd } = t;
  const npages = 4;
  const buffer = yield* t.buffer(npages, npages, PROT_READ_WRITE);
  yield* process.write(buffer.ptr, npages, COUNT);
  t.assertDone(yield* fd.migrateToDevice(buffer, npages), buffer, npages);
  t.assertMirror(buffer, npages, COUNT);

  for (const [page, [command, how]] of GUP_COMMANDS.entries()) {
    const ret = yield* process.gupTest(buffer.ptr + page, 1, how);
    t.assertEq({ [`gup_test_exec(${command})`]: ret }, 0);
  }
  t.assertDone(yield* fd.snapshot(buffer, npages), buffer, npages);
  const m = buffer.mirror;
  for (const page of [0, 1]) {
    const seen = { [`m[${page}]`]: m[page] };
    if (t.isCoherent) t.assertEq(COHERENT_LOCAL_WRITE, seen);
    else t.assertEq({ HMM_DMIRROR_PROT_WRITE }, seen);
  }
  t.assertEq({ HMM_DMIRROR_PROT_WRITE }, { 'm[2]': m[2] });
  t.assertEq({ HMM_DMIRROR_PROT_WRITE }, { 'm[3]': m[3] });
  yield* t.assertMemory(process, buffer.ptr, npages, COUNT);
  yield* t.free(buffer);
});

/** A CPU writes to what a device has, and a child as well: the writer gets a copy in RAM. */
export const cowInDevice = test('hmm', 'hmm_cow_in_device', function* (t) {
  const { process, fd } = t;
  const npages = 4;
  const buffer = yield* t.buffer(npages, npages, PROT_READ_WRITE);
  yield* process.write(buffer.ptr, npages, COUNT);
  t.assertDone(yield* fd.migrateToDevice(buffer, npages), buffer, npages);

  // the child does nothing, until it is killed
  const child = yield* process.fork();
  yield* process.write(buffer.ptr, npages, COUNT);
  const { signal } = yield* t.kill(child);
  t.expectNe(0, { 'WIFSIGNALED(status)': signal === 0 ? 0 : 1 });
  t.expectEq({ SIGKILL: 9 }, { 'WTERMSIG(status)': signal });

  t.assertDone(yield* fd.snapshot(buffer, npages), buffer, npages);
  for (let i = 0; i < npages; i++) {
    t.assertEq({ HMM_DMIRROR_PROT_WRITE }, { 'm[i]': buffer.mirror[i] });
  }
  yield* t.free(buffer);
});
