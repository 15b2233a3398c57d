import { prepareAndGiveUp, SMALL, withTasks } from './lib/tasks.ts';

const ALL = { buf: 0, page: 0, pages: 4 };

export default withTasks(
  {
    name: 'split-pmd-migration-accounting',
    machine: { ...SMALL, cpus: 2 },
    setup: [
      { op: 'mmap', ...ALL, prot: 'rw', kind: 'anon' },
      { op: 'madvise', ...ALL, advice: 'hugepage' },
      { op: 'cpu_write', ...ALL, tag: 1 },
    ],
    tasks: { process: [{ op: 'madvise', buf: 0, page: 0, pages: 2, advice: 'dontneed' }] },
  },
  { device: prepareAndGiveUp(0, 4) },
);
