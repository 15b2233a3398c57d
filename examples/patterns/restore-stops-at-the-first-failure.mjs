/**
 * A worker maps the ranges of a process again after an invalidation, one after the other. At the first one that fails
 * it stops, and begins again: a range that its process has unmapped fails each time, the ranges behind it are never
 * mapped, and the worker runs for ever. Where a range that has failed for good is left out the others have their turn.
 */
import { EBUSY } from 'softleaf/machine';
import { Userptr } from './lib/userptr.mjs';
import { withTasks } from './lib/with-tasks.mjs';

const first = { buf: 0, page: 0, pages: 1 };
const second = { buf: 1, page: 0, pages: 1 };

function* stopsAtTheFirst({ k, own }) {
  for (;;) {
    let failed = false;
    for (const range of own.ranges) {
      if (!range.invalid) continue;
      failed = (yield* range.restore(k)) !== 0;
      if (failed) break;
    }
    if (!failed && own.ranges.every((range) => !range.invalid)) return;
  }
}

function* eachInTurn({ k, own }) {
  for (;;) {
    let again = false;
    for (const range of own.ranges) {
      if (!range.invalid || range.bad) continue;
      const ret = yield* range.restore(k);
      if (ret === -EBUSY) again = true;
      else if (ret) range.bad = true;
    }
    if (!again) return;
  }
}

const scenario = (name, worker) =>
  withTasks(
    {
      name,
      setup: [first, second].flatMap((area, i) => [
        { op: 'mmap', ...area, prot: 'rw', kind: 'anon' },
        { op: 'cpu_write', ...area, tag: 1 + i },
      ]),
      tasks: {
        process: [
          { op: 'munmap', ...first },
          { op: 'madvise', ...second, advice: 'dontneed' },
        ],
      },
    },
    { worker },
    {
      prepare({ k, system, own }) {
        const mutex = k.newLock('GPU page table', 'mutex');
        const { mm } = system.process(0);
        own.ranges = [first, second].map(
          ({ buf, page, pages }) => new Userptr(k, mm, mutex, k.geometry.vpnOf(buf, page), pages),
        );
      },
      outcome: ({ own }) => own.ranges.map(({ invalid, bad }) => `${invalid} ${bad}`).join(),
      cleanup({ k, own }) {
        for (const range of own.ranges) range.close(k);
      },
    },
  );

export const wrong = scenario('a worker that stops at the first failure', stopsAtTheFirst);
export const right = scenario('a worker that gives each range its turn', eachInTurn);
export default [wrong, right];
