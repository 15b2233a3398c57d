import { prepareAndGiveUp, SMALL, withTasks } from './lib/tasks.ts';

const ALL = { buf: 0, page: 0, pages: 2 };

export default withTasks(
  {
    name: 'cpages-counts-collected',
    machine: { ...SMALL, cpus: 2 },
    setup: [
      { op: 'mmap', ...ALL, prot: 'rw', kind: 'anon' },
      { op: 'cpu_write', ...ALL, tag: 1 },
      { op: 'pin', id: 0, buf: 0, page: 0 },
    ],
    tasks: { process: [] },
  },
  { device: prepareAndGiveUp(0, 2) },
);
