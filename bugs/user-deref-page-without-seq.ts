import { SMALL, withTasks } from './lib/tasks.ts';
import { populateUserptr } from './lib/userptr.ts';

const PAGE = { buf: 0, page: 0, pages: 1 };

export default withTasks(
  {
    name: 'user-deref-page-without-seq',
    machine: { ...SMALL, cpus: 2 },
    setup: [
      { op: 'mmap', ...PAGE, prot: 'rw', kind: 'anon' },
      { op: 'cpu_write', ...PAGE, tag: 1 },
      { op: 'madvise', ...PAGE, advice: 'willneed' },
    ],
    tasks: { process: [{ op: 'madvise', ...PAGE, advice: 'dontneed' }] },
  },
  { driver: (system) => populateUserptr(system, 0, 1) },
);
