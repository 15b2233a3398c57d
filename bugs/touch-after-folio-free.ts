import { Pool, poolOf } from './lib/pool.ts';
import { SMALL, withTasks } from './lib/tasks.ts';

export default withTasks(
  { name: 'touch-after-folio-free', machine: { ...SMALL, cpus: 2 }, tasks: { process: [] } },
  {
    one: (system) => poolOf(system).borrow(system.kernel, 2),
    other: (system) => poolOf(system).borrow(system.kernel, 0),
  },
  {
    prepare: ({ kernel }) => new Pool(kernel, [2], false),
    check: (system) => {
      const { refs } = poolOf(system).pagemap;
      if (refs === 0) return [];
      const title = `the range counts ${refs} pages in use, none is`;
      return [{ invariant: 'device memory', title, where: 'the pool' }];
    },
  },
);
