/** Memory goes to the device and comes back. */
import { EINVAL, ENOENT } from '../../machine/errno.ts';
import { test } from '../harness.ts';
import { PROT_NONE, PROT_READ, PROT_READ_WRITE } from '../process.ts';
import { negative } from '../test.ts';
import { COUNT } from '../test-words.ts';
import { BUFFER_PAGES, NTIMES } from './sizes.ts';

export const migrate = test('hmm', 'migrate', function* (t) {
  const { process, fd } = t;
  const npages = BUFFER_PAGES;
  const buffer = yield* t.buffer(npages, npages, PROT_READ_WRITE);
  yield* process.write(buffer.ptr, npages, COUNT);
  t.assertDone(yield* fd.migrateToDevice(buffer, npages), buffer, npages);
  t.assertMirror(buffer, npages, COUNT);
  yield* t.free(buffer);
});

export const migrateFilePrivate = test('hmm', 'migrate_file_private', function* (t) {
  const { process, fd } = t;
  const npages = BUFFER_PAGES;
  const file = process.createFile(npages);
  const buffer = yield* t.buffer(npages, npages, PROT_READ_WRITE, { file });
  yield* process.write(buffer.ptr, npages, COUNT);
  t.assertDone(yield* fd.migrateToDevice(buffer, npages), buffer, npages);
  t.assertMirror(buffer, npages, COUNT);
  yield* t.free(buffer);
});

/** Half of what is on the device comes back; then all of it goes there again. */
export const migrateFault = test('hmm', 'migrate_fault', function* (t) {
  const { process, fd } = t;
  const npages = BUFFER_PAGES;
  const buffer = yield* t.buffer(npages, npages, PROT_READ_WRITE);
  yield* process.write(buffer.ptr, npages, COUNT);
  t.assertDone(yield* fd.migrateToDevice(buffer, npages), buffer, npages);
  t.assertMirror(buffer, npages, COUNT);
  yield* t.assertMemory(process, buffer.ptr, npages / 2, COUNT);
  t.assertDone(yield* fd.migrateToDevice(buffer, npages), buffer, npages);
  t.assertMirror(buffer, npages, COUNT);
  yield* t.free(buffer);
});

export const migrateRelease = test('hmm', 'migrate_release', function* (t) {
  const { process, fd } = t;
  const npages = BUFFER_PAGES;
  const buffer = yield* t.buffer(npages, npages, PROT_READ_WRITE);
  yield* process.write(buffer.ptr, npages, COUNT);
  t.assertDone(yield* fd.migrateToDevice(buffer, npages), buffer, npages);
  t.assertMirror(buffer, npages, COUNT);
  const ret = yield* fd.releaseMemory();
  t.assertEq({ ret }, 0);
  yield* t.assertMemory(process, buffer.ptr, npages / 2, COUNT);
  yield* t.free(buffer);
});

export const migrateShared = test('hmm', 'migrate_shared', function* (t) {
  const npages = BUFFER_PAGES;
  const buffer = yield* t.buffer(npages, npages, PROT_READ_WRITE, { shared: true });
  const ret = yield* t.fd.migrateToDevice(buffer, npages);
  t.assertEq({ ret }, negative(ENOENT));
  yield* t.free(buffer);
});

/** Pages of every kind, and pages that another device has. */
export const migrateMixed = test('hmm2', 'migrate_mixed', function* (t) {
  const { process, fds } = t;
  const [fd0, fd1] = fds;
  const npages = 6;
  const buffer = yield* t.buffer(npages, npages, PROT_NONE);
  const p = buffer.ptr;

  let ret = yield* fd1.migrateToDevice(buffer, npages);
  t.assertEq({ ret }, negative(EINVAL));
  // a hole after the first page
  ret = yield* process.munmap(p + 1, 1);
  t.assertEq({ ret }, 0);
  ret = yield* fd1.migrateToDevice(buffer, 3);
  t.assertEq({ ret }, negative(EINVAL));

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
  // pages 4 and 5: writable
  ret = yield* process.mprotect(p + 4, 2, PROT_READ_WRITE);
  t.assertEq({ ret }, 0);
  yield* process.writeInt(p + 4, val);
  yield* process.writeInt(p + 5, val);

  buffer.ptr = p + 2;
  ret = yield* fd1.migrateToDevice(buffer, 4);
  t.assertEq({ ret }, 0);
  t.assertEq({ 'buffer->cpages': buffer.cpages }, 4);
  // device 1 has it
  buffer.ptr = p + 5;
  ret = yield* fd0.migrateToDevice(buffer, 1);
  t.assertEq({ ret }, negative(ENOENT));
  buffer.ptr = p;
  yield* t.free(buffer);
});

/** A CPU can use coherent memory where it is: it comes back only when it is told to. */
export const migrateMultiple = test('hmm', 'migrate_multiple', function* (t) {
  const { process, fd } = t;
  const npages = BUFFER_PAGES;
  for (let c = 0; c < NTIMES; c++) {
    const buffer = yield* t.buffer(npages, npages, PROT_READ_WRITE);
    yield* process.write(buffer.ptr, npages, COUNT);
    t.assertDone(yield* fd.migrateToDevice(buffer, npages), buffer, npages);
    t.assertMirror(buffer, npages, COUNT);
    if (t.isCoherent) t.assertDone(yield* fd.migrateToSystem(buffer, npages), buffer, npages);
    yield* t.assertMemory(process, buffer.ptr, npages, COUNT);
    yield* t.free(buffer);
  }
});
