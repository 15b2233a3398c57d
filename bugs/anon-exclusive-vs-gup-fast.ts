import type { Kernel$ } from '../src/machine/index.ts';
import { gupFast, unpinUserPages } from '../src/mm/gup.ts';
import { type Body, prepareAndGiveUp, SMALL, withTasks } from './lib/tasks.ts';

const PAGE = { buf: 0, page: 0, pages: 1 };

/** Pins a page for reading, for a moment. */
const pin: Body = function* pin({ kernel, mirrors }): Kernel$<void> {
  const pages: number[] = [];
  const vpn = kernel.geometry.vpnOf(0, 0);
  yield* gupFast(kernel, mirrors[0].mm, vpn, 1, { pin: true }, pages);
  yield* unpinUserPages(kernel, pages);
};

export default withTasks(
  {
    name: 'anon-exclusive-vs-gup-fast',
    machine: { ...SMALL, cpus: 2 },
    setup: [
      { op: 'mmap', ...PAGE, prot: 'rw', kind: 'anon' },
      { op: 'cpu_write', ...PAGE, tag: 1 },
    ],
    tasks: { process: [] },
  },
  { pin, device: prepareAndGiveUp(0, 1) },
);
