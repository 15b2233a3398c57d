import type { Kernel$ } from '../src/machine/index.ts';
import { cpuReadWord } from '../src/mm/index.ts';
import { Pool, poolOf } from './lib/pool.ts';
import { type Body, SMALL, withTasks } from './lib/tasks.ts';

const PAGE = { buf: 0, page: 0, pages: 1 };

/** A page goes to the device, and the process touches it. */
const process: Body = function* process(system): Kernel$<void> {
  const { kernel } = system;
  yield* poolOf(system).migrate(system, 0, 1);
  yield* cpuReadWord(kernel, system.process(0).mm, kernel.geometry.vpnOf(0, 0));
};

export default withTasks(
  {
    name: 'copy-error-ignored-leaks-page',
    machine: { ...SMALL, cpus: 2 },
    setup: [
      { op: 'mmap', ...PAGE, prot: 'rw', kind: 'anon' },
      { op: 'cpu_write', ...PAGE, tag: 1 },
    ],
    tasks: { idle: [] },
  },
  { process },
  { prepare: ({ kernel }) => new Pool(kernel, [0]) },
);
