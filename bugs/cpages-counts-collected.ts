import { MIGRATE_PFN_MIGRATE } from '../src/hmm/pfn.ts';
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
  {
    device: prepareAndGiveUp(0, 2, ({ kernel }, { src, cpages }) => {
      const migrating = src.filter((entry) => entry & MIGRATE_PFN_MIGRATE).length;
      if (cpages === migrating) return;
      kernel.report('contract', `migrate_vma_setup() counts ${cpages} pages, ${migrating} migrate`);
    }),
  },
);
