/** A device reads and writes memory of all kinds where it is. */
import { EFAULT, EPERM } from '../../machine/errno.ts';
import { PRIVATE_DEVICE_ONE } from '../computer.ts';
import { test } from '../harness.ts';
import { PROT_NONE, PROT_READ, PROT_READ_WRITE } from '../process.ts';
import { negative } from '../test.ts';
import { COUNT, COUNT_DOWN, Words, ZERO } from '../test-words.ts';
import { BUFFER_PAGES, NTIMES } from './sizes.ts';

export const openClose = test('hmm', 'open_close', function* () {});

export const anonRead = test('hmm', 'anon_read', function* (t) {
  const { process, fd } = t;
  const npages = BUFFER_PAGES;
  const buffer = yield* t.buffer(npages, npages, PROT_READ_WRITE);
  // the first two pages stay empty, and one of them becomes the zero page
  yield* process.write(buffer.ptr, npages, COUNT, 2);
  let ret = yield* process.mprotect(buffer.ptr, npages, PROT_READ);
  t.assertEq({ ret }, 0);
  const val = yield* process.readInt(buffer.ptr + 1, 0);
  t.assertEq({ val }, 0);

  ret = yield* fd.read(buffer, npages);
  t.assertDone(ret, buffer, npages, 1);
  t.assertMirror(buffer, 2, ZERO);
  t.assertMirror(buffer, npages, COUNT, 2);
  yield* t.free(buffer);
});

export const anonReadProt = test('hmm', 'anon_read_prot', function* (t) {
  const { process, fd } = t;
  const npages = BUFFER_PAGES;
  const buffer = yield* t.buffer(npages, npages, PROT_READ_WRITE);
  yield* process.write(buffer.ptr, npages, COUNT);
  t.fillMirror(buffer, npages, COUNT_DOWN);
  let ret = yield* process.mprotect(buffer.ptr, npages, PROT_NONE);
  t.assertEq({ ret }, 0);

  ret = yield* fd.read(buffer, npages);
  t.assertEq({ ret }, negative(EFAULT));

  ret = yield* process.mprotect(buffer.ptr, npages, PROT_READ);
  t.assertEq({ ret }, 0);
  yield* t.assertMemory(process, buffer.ptr, npages, COUNT);
  // nothing was read
  t.assertMirror(buffer, npages, COUNT_DOWN);
  yield* t.free(buffer);
});

export const anonWrite = test('hmm', 'anon_write', function* (t) {
  const { process, fd } = t;
  const npages = BUFFER_PAGES;
  const buffer = yield* t.buffer(npages, npages, PROT_READ_WRITE);
  t.fillMirror(buffer, npages, COUNT);
  const ret = yield* fd.write(buffer, npages);
  t.assertDone(ret, buffer, npages, 1);
  yield* t.assertMemory(process, buffer.ptr, npages, COUNT);
  yield* t.free(buffer);
});

export const anonWriteProt = test('hmm', 'anon_write_prot', function* (t) {
  const { process, fd } = t;
  const npages = BUFFER_PAGES;
  const buffer = yield* t.buffer(npages, npages, PROT_READ);
  // the zero page, for one
  let ret = yield* fd.read(buffer, 1);
  t.assertEq({ ret }, 0);
  t.assertEq({ 'buffer->cpages': buffer.cpages }, 1);
  t.assertEq({ 'buffer->faults': buffer.faults }, 1);

  t.fillMirror(buffer, npages, COUNT);
  ret = yield* fd.write(buffer, npages);
  t.assertEq({ ret }, negative(EPERM));
  yield* t.assertMemory(process, buffer.ptr, npages, ZERO);

  // now that it may, the zero page is replaced
  ret = yield* process.mprotect(buffer.ptr, npages, PROT_READ_WRITE);
  t.assertEq({ ret }, 0);
  ret = yield* fd.write(buffer, npages);
  t.assertDone(ret, buffer, npages, 1);
  yield* t.assertMemory(process, buffer.ptr, npages, COUNT);
  yield* t.free(buffer);
});

/** A child's device writes where the parent's pages are: the parent's do not change. */
export const anonWriteChild = test('hmm', 'anon_write_child', function* (t) {
  const { process, fd } = t;
  for (const migrate of [false, true]) {
    for (const useThp of [false, true]) {
      const npages = useThp ? t.hugePages : BUFFER_PAGES;
      const buffer = yield* t.buffer(npages * 2, npages, PROT_READ_WRITE);
      const oldPtr = buffer.ptr;
      if (useThp) {
        // as many pages as a huge one has
        const map = t.firstHuge(buffer.ptr);
        const ret = yield* process.madvise(map, npages, 'hugepage');
        t.assertEq({ ret }, 0);
        buffer.ptr = map;
      }
      yield* process.write(buffer.ptr, npages, COUNT);
      t.fillMirror(buffer, npages, COUNT_DOWN);
      if (migrate) t.assertDone(yield* fd.migrateToDevice(buffer, npages), buffer, npages);

      const child = yield* process.fork();
      const theirs = buffer.inherited();
      const body = function* () {
        yield* t.assertMemory(child, theirs.ptr, npages, COUNT);
        if (!migrate) t.assertMirror(theirs, npages, COUNT_DOWN);
        // a mirror is of one address space
        const childFd = yield* child.open(PRIVATE_DEVICE_ONE);
        t.assertDone(yield* childFd.write(theirs, npages), theirs, npages, 1);
        if (!migrate) yield* t.assertMemory(child, theirs.ptr, npages, COUNT_DOWN);
        yield* child.close(childFd);
      };
      const { signal } = yield* t.child(child, body());
      t.assertEq({ 'WIFEXITED(ret)': signal === 0 ? 1 : 0 }, 1);
      yield* t.assertMemory(process, buffer.ptr, npages, COUNT);
      buffer.ptr = oldPtr;
      yield* t.free(buffer);
    }
  }
});

/** In shared memory there is nothing to be copied: the parent sees what the child's device wrote. */
export const anonWriteChildShared = test('hmm', 'anon_write_child_shared', function* (t) {
  const { process } = t;
  const npages = BUFFER_PAGES;
  const buffer = yield* t.buffer(npages, npages, PROT_READ_WRITE, { shared: true });
  yield* process.write(buffer.ptr, npages, COUNT);
  t.fillMirror(buffer, npages, COUNT_DOWN);

  const child = yield* process.fork();
  const theirs = buffer.inherited();
  const body = function* () {
    yield* t.assertMemory(child, theirs.ptr, npages, COUNT);
    t.assertMirror(theirs, npages, COUNT_DOWN);
    const childFd = yield* child.open(PRIVATE_DEVICE_ONE);
    t.assertDone(yield* childFd.write(theirs, npages), theirs, npages, 1);
    yield* t.assertMemory(child, theirs.ptr, npages, COUNT_DOWN);
    yield* child.close(childFd);
  };
  const { signal } = yield* t.child(child, body());
  t.assertEq({ 'WIFEXITED(ret)': signal === 0 ? 1 : 0 }, 1);
  yield* t.assertMemory(process, buffer.ptr, npages, COUNT_DOWN);
});

export const anonWriteHuge = test('hmm', 'anon_write_huge', function* (t) {
  const { process, fd } = t;
  const npages = t.hugePages;
  const buffer = yield* t.buffer(2 * npages, 2 * npages, PROT_READ_WRITE);
  const oldPtr = buffer.ptr;
  const map = t.firstHuge(oldPtr);
  let ret = yield* process.madvise(map, npages, 'hugepage');
  t.assertEq({ ret }, 0);
  buffer.ptr = map;
  t.fillMirror(buffer, npages, COUNT);
  ret = yield* fd.write(buffer, npages);
  t.assertDone(ret, buffer, npages, 1);
  yield* t.assertMemory(process, buffer.ptr, npages, COUNT);
  buffer.ptr = oldPtr;
  yield* t.free(buffer);
});

export const anonWriteHugetlbfs = test('hmm', 'anon_write_hugetlbfs', function* (t) {
  const { process, fd } = t;
  t.needHugetlb();
  const npages = t.hugePages;
  const buffer = yield* t.buffer(npages, npages, PROT_READ_WRITE, { hugetlb: true });
  t.fillMirror(buffer, npages, COUNT);
  t.assertDone(yield* fd.write(buffer, npages), buffer, npages, 1);
  yield* t.assertMemory(process, buffer.ptr, npages, COUNT);
  yield* t.free(buffer);
});

export const fileRead = test('hmm', 'file_read', function* (t) {
  const { process, fd } = t;
  const npages = BUFFER_PAGES;
  const file = process.createFile(npages);
  const buffer = yield* t.buffer(npages, npages, PROT_READ, { shared: true, file });
  t.fillMirror(buffer, npages, COUNT);
  const len = yield* file.pwrite(buffer.mirror, 0);
  t.assertEq({ len }, { size: npages });
  buffer.mirror.fill(0);
  const ret = yield* fd.read(buffer, npages);
  t.assertDone(ret, buffer, npages, 1);
  t.assertMirror(buffer, npages, COUNT);
  yield* t.free(buffer);
});

export const fileWrite = test('hmm', 'file_write', function* (t) {
  const { process, fd } = t;
  const npages = BUFFER_PAGES;
  const file = process.createFile(npages);
  const buffer = yield* t.buffer(npages, npages, PROT_READ_WRITE, { shared: true, file });
  t.fillMirror(buffer, npages, COUNT);
  const ret = yield* fd.write(buffer, npages);
  t.assertDone(ret, buffer, npages, 1);
  yield* t.assertMemory(process, buffer.ptr, npages, COUNT);
  // the file has it, too
  const len = yield* file.pread(buffer.mirror, 0);
  t.assertEq({ len }, { size: npages });
  t.assertMirror(buffer, npages, COUNT);
  yield* t.free(buffer);
});

export const anonReadMultiple = test('hmm', 'anon_read_multiple', function* (t) {
  const { process, fd } = t;
  const npages = BUFFER_PAGES;
  for (let c = 0; c < NTIMES; c++) {
    const words = new Words('i + c', 1, c);
    const buffer = yield* t.buffer(npages, npages, PROT_READ_WRITE);
    yield* process.write(buffer.ptr, npages, words);
    t.assertDone(yield* fd.read(buffer, npages), buffer, npages, 1);
    t.assertMirror(buffer, npages, words);
    yield* t.free(buffer);
  }
});

/** Half of what a device reads is unmapped by another thread meanwhile. */
export const anonTeardown = test('hmm', 'anon_teardown', function* (t) {
  const { process, fd } = t;
  const npages = BUFFER_PAGES;
  for (let c = 0; c < NTIMES; c++) {
    const words = new Words('i + c', 1, c);
    const buffer = yield* t.buffer(npages, npages, PROT_READ_WRITE);
    yield* process.write(buffer.ptr, npages, words);
    const unmaps = function* () {
      yield* t.sleep(Math.floor(t.random() * 32000));
      yield* process.munmap(buffer.ptr + npages / 2, npages / 2);
    };
    const reads = function* () {
      const rc = yield* fd.read(buffer, npages);
      if (rc !== 0) return;
      t.assertEq({ 'buffer->cpages': buffer.cpages }, { npages });
      t.assertEq({ 'buffer->faults': buffer.faults }, 1);
      t.assertMirror(buffer, npages, words);
    };
    // the other half stays
    t.together({ reads: reads(), unmaps: unmaps() });
  }
});

/** The byte that the monitor fills pages with. */
const PATTERN = 0xab;

/** Pages that a monitor fills when they are missed. */
export const userfaultfdRead = test('hmm', 'userfaultfd_read', function* (t) {
  const { process, fd } = t;
  const npages = 4;
  const uffd = process.userfaultfd();
  const buffer = yield* t.buffer(npages, npages, PROT_READ_WRITE);
  const ret = yield* uffd.register(buffer.ptr, npages);
  t.assertEq({ ret }, 0);

  let stopped = false;
  const handler = function* () {
    const page = new Uint8Array(process.k.geometry.pageBytes);
    for (;;) {
      const vpn = yield* uffd.read(() => stopped);
      if (vpn < 0) return;
      page.fill(PATTERN);
      if ((yield* uffd.copy(vpn, page)) < 0) return;
    }
  };
  const reads = function* () {
    const read = yield* fd.readUnlocked(buffer, npages);
    t.assertDone(read, buffer, npages);
    const other = buffer.mirror.find((byte) => byte !== PATTERN);
    t.assertEq({ 'ptr[i]': other ?? PATTERN }, { '(unsigned char)0xAB': PATTERN });
    stopped = true;
  };
  t.together({ reads: reads(), handler: handler() });
  yield* process.close(uffd);
  yield* t.free(buffer);
});
