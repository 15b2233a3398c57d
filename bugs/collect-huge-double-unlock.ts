import { prepareAndGiveUp, SMALL, withTasks } from './lib/tasks.ts';

const ALL = { buf: 0, page: 0, pages: 4 };

export default withTasks(
  {
    name: 'collect-huge-double-unlock',
    machine: { ...SMALL, cpus: 2 },
    setup: [
      { op: 'mmap', ...ALL, prot: 'rw', kind: 'anon' },
      { op: 'madvise', ...ALL, advice: 'hugepage' },
      { op: 'cpu_write', ...ALL, tag: 1 },
    ],
    tasks: { process: [] },
  },
  { one: prepareAndGiveUp(0, 4), other: prepareAndGiveUp(0, 4) },
);
