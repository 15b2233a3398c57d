import { prepareAndGiveUp, SMALL, withTasks } from './lib/tasks.ts';

const ALL = { buf: 0, page: 0, pages: 4 };

export default withTasks(
  {
    name: 'split-without-pin',
    machine: { ...SMALL, cpus: 2 },
    setup: [
      { op: 'mmap', ...ALL, prot: 'rw', kind: 'anon' },
      { op: 'madvise', ...ALL, advice: 'hugepage' },
      { op: 'cpu_write', ...ALL, tag: 1 },
      { op: 'madvise', buf: 0, page: 0, pages: 3, advice: 'dontneed' },
    ],
    tasks: { process: [{ op: 'madvise', buf: 0, page: 3, pages: 1, advice: 'dontneed' }] },
  },
  { device: prepareAndGiveUp(3, 1) },
);
