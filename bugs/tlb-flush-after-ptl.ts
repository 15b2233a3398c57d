import { prepareAndGiveUp, SMALL, withTasks } from './lib/tasks.ts';

const PAGE = { buf: 0, page: 0, pages: 1 };

export default withTasks(
  {
    name: 'tlb-flush-after-ptl',
    machine: { ...SMALL, cpus: 2 },
    setup: [
      { op: 'mmap', ...PAGE, prot: 'rw', kind: 'anon' },
      { op: 'cpu_write', ...PAGE, tag: 1 },
      { op: 'fork', child: 1 },
    ],
    tasks: {
      process: [
        { op: 'cpu_read', ...PAGE },
        { op: 'madvise', ...PAGE, advice: 'dontneed' },
        { op: 'cpu_read', ...PAGE, expect: { tags: [[0, 1, 0]] } },
      ],
    },
  },
  { device: prepareAndGiveUp(0, 1) },
);
