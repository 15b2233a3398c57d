import type { MigrateVma } from '../src/hmm/migrate-args.ts';
import type { System } from '../src/program/system.ts';
import { prepareAndGiveUp, SMALL, withTasks } from './lib/tasks.ts';

const PAGE = { buf: 0, page: 0, pages: 1 };

/** Nobody else holds the page. */
function mustMigrate({ kernel }: System, { cpages }: MigrateVma): void {
  if (cpages === 1) return;
  kernel.report('progress', 'a page cannot migrate because somebody waits for its migration');
}

export default withTasks(
  {
    name: 'wait-takes-pageref-blocks-migration',
    machine: { ...SMALL, cpus: 2 },
    setup: [
      { op: 'mmap', ...PAGE, prot: 'rw', kind: 'anon' },
      { op: 'cpu_write', ...PAGE, tag: 1 },
    ],
    tasks: { process: [{ op: 'cpu_read', ...PAGE }] },
  },
  { device: prepareAndGiveUp(0, 1, mustMigrate) },
);
