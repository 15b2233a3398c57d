import {
  MIGRATE_VMA_SELECT_COMPOUND,
  MIGRATE_VMA_SELECT_DEVICE_PRIVATE,
} from '../src/hmm/migrate-args.ts';
import type { Kernel$ } from '../src/machine/index.ts';
import { gupFast, putPages } from '../src/mm/gup.ts';
import { type Body, prepareAndGiveUp, SMALL, withTasks } from './lib/tasks.ts';

const ALL = { buf: 0, page: 0, pages: 4 };

/** Takes a reference on a page of the child without locks, for a moment. */
const reference: Body = function* reference({ kernel, processes }): Kernel$<void> {
  const { mm } = processes[1] as NonNullable<(typeof processes)[1]>;
  const pages: number[] = [];
  yield* gupFast(kernel, mm, kernel.geometry.vpnOf(0, 3), 1, {}, pages);
  yield* putPages(kernel, pages);
};

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
    tasks: { child: [{ op: 'munmap', proc: 1, buf: 0, page: 0, pages: 1 }] },
  },
  {
    reference,
    device: prepareAndGiveUp(
      0,
      4,
      undefined,
      MIGRATE_VMA_SELECT_DEVICE_PRIVATE | MIGRATE_VMA_SELECT_COMPOUND,
    ),
  },
  { order: ['device', 'child', 'reference'] },
);
