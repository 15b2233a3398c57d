import type { Kernel$ } from '../src/machine/index.ts';
import { Pool, poolOf } from './lib/pool.ts';
import { type Body, SMALL, withTasks } from './lib/tasks.ts';

const PAGE = { buf: 0, page: 0, pages: 1 };

/** A run of four pages is used and given back; a page of it is used alone. */
const driver: Body = function* driver(system): Kernel$<void> {
  const pool = poolOf(system);
  yield* pool.borrow(system.kernel, 2);
  yield* pool.migrate(system, 0, 1);
};

export default withTasks(
  {
    name: 'order-change-stale-metadata',
    machine: { ...SMALL, cpus: 1 },
    setup: [
      { op: 'mmap', ...PAGE, prot: 'rw', kind: 'anon' },
      { op: 'cpu_write', ...PAGE, tag: 1 },
    ],
    tasks: { process: [] },
    after: [{ op: 'cpu_read', ...PAGE, expect: { tags: [[65536, 1, 0]] } }],
  },
  { driver },
  { prepare: ({ kernel }) => new Pool(kernel, [2]) },
);
