/**
 * The series' command: a device's fault brings memory to it.
 *
 * Models: the series' HMM_DMIRROR_MIGRATE_ON_FAULT_TO_DEV
 */
import { test } from '../harness.ts';
import { PROT_READ_WRITE } from '../process.ts';
import { COUNT, ZERO } from '../test-words.ts';
import { BUFFER_PAGES } from './sizes.ts';

/** Pages of one command. */
const CHUNK = 64;

/** The series' own test: memory that was written, a chunk after the other. */
export const migrateOnFault = test('hmm', 'migrate_on_fault', function* (t) {
  const { process, fd } = t;
  const npages = BUFFER_PAGES;
  const buffer = yield* t.buffer(npages, npages, PROT_READ_WRITE);
  const start = buffer.ptr;
  yield* process.write(start, npages, COUNT);
  let cpages = 0;
  for (let at = 0; at < npages; at += CHUNK) {
    const part = buffer.part(at, CHUNK);
    const ret = yield* fd.migrateOnFault(part, CHUNK, false);
    t.assertEq({ ret }, 0);
    cpages += part.cpages;
  }
  t.assertEq({ 'buffer->cpages': cpages }, { npages });
  t.assertMirror(buffer, npages, COUNT);
  // all of it is there
  t.assertEq({ used: fd.mirror.device.used }, { npages });
  yield* t.free(buffer);
});

/** A page by its number: half of all are missing, of the others there is every kind. */
const KINDS = [
  'missing',
  'zero page',
  'missing',
  'shared with a child',
  'missing',
  'written',
  'missing',
  'shared with a child',
] as const;

/**
 * Memory of which most was never written: the device gets all of it, for writing. What a child has of
 * it stays as it was.
 */
export const migrateOnFaultMissing = test('hmm', 'migrate_on_fault_missing', function* (t) {
  const { process, fd } = t;
  const npages = BUFFER_PAGES;
  const buffer = yield* t.buffer(npages, npages, PROT_READ_WRITE);
  const start = buffer.ptr;
  const kind = (at: number) => KINDS[at % KINDS.length];
  const pagesOf = (which: (typeof KINDS)[number]) =>
    Array.from({ length: npages }, (_, at) => at).filter((at) => kind(at) === which);

  for (const at of pagesOf('shared with a child')) {
    yield* process.write(start, at + 1, COUNT, at);
  }
  for (const at of pagesOf('zero page')) yield* process.readPage(start + at);
  const child = yield* process.fork();
  for (const at of pagesOf('written')) yield* process.write(start, at + 1, COUNT, at);

  buffer.mirror.fill(0xff);
  let cpages = 0;
  for (let at = 0; at < npages; at += CHUNK) {
    const part = buffer.part(at, CHUNK);
    const ret = yield* fd.migrateOnFault(part, CHUNK, true);
    t.assertEq({ ret }, 0);
    cpages += part.cpages;
  }
  t.assertEq({ 'buffer->cpages': cpages }, { npages });
  t.assertEq({ used: fd.mirror.device.used }, { npages });
  for (let at = 0; at < npages; at++) {
    const isWritten = kind(at) === 'written' || kind(at) === 'shared with a child';
    t.assertMirror(buffer, at + 1, isWritten ? COUNT : ZERO, at);
  }

  const body = function* () {
    for (let at = 0; at < npages; at++) {
      const words = kind(at) === 'shared with a child' ? COUNT : ZERO;
      yield* t.assertMemory(child, start, at + 1, words, at);
    }
  };
  const { signal } = yield* t.child(child, body());
  t.assertEq({ 'WIFEXITED(status)': signal === 0 ? 1 : 0 }, 1);
  for (let at = 0; at < npages; at++) {
    const isWritten = kind(at) === 'written' || kind(at) === 'shared with a child';
    yield* t.assertMemory(process, start, at + 1, isWritten ? COUNT : ZERO, at);
  }
  yield* t.free(buffer);
});
