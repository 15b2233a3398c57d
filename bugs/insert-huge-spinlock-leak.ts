import { Pool, poolOf } from './lib/pool.ts';
import { SMALL, withTasks } from './lib/tasks.ts';

const ALL = { buf: 0, page: 0, pages: 4 };

export default withTasks(
  {
    name: 'insert-huge-spinlock-leak',
    machine: { ...SMALL, cpus: 2 },
    setup: [
      { op: 'mmap', ...ALL, prot: 'rw', kind: 'anon' },
      { op: 'madvise', ...ALL, advice: 'hugepage' },
    ],
    tasks: { reaper: [{ op: 'oom_reap' }] },
  },
  { driver: (system) => poolOf(system).migrate(system, 0, 4) },
  { prepare: ({ kernel }) => new Pool(kernel, [2]) },
);
