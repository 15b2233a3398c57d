import {
  MIGRATE_VMA_SELECT_COMPOUND,
  MIGRATE_VMA_SELECT_DEVICE_PRIVATE,
} from '../src/hmm/migrate-args.ts';
import { prepareAndGiveUp, SMALL, withTasks } from './lib/tasks.ts';

const ALL = { buf: 0, page: 0, pages: 4 };

export default withTasks(
  {
    name: 'gupfast-vs-invalidate-nonpresent-pmd',
    machine: { ...SMALL, cpus: 3 },
    setup: [
      { op: 'mmap', ...ALL, prot: 'rw', kind: 'anon' },
      { op: 'madvise', ...ALL, advice: 'hugepage' },
      { op: 'cpu_write', ...ALL, tag: 1 },
      { op: 'migrate_to_dev', dev: 0, ...ALL },
      { op: 'fork', child: 1 },
    ],
    tasks: {
      child: [{ op: 'munmap', proc: 1, buf: 0, page: 0, pages: 1 }],
      pin: [
        { op: 'pin', id: 0, proc: 1, buf: 0, page: 3 },
        { op: 'unpin', id: 0, proc: 1 },
      ],
    },
  },
  {
    device: prepareAndGiveUp(
      0,
      4,
      undefined,
      MIGRATE_VMA_SELECT_DEVICE_PRIVATE | MIGRATE_VMA_SELECT_COMPOUND,
    ),
  },
);
