/**
 * A driver that brings its own pages of a range back to RAM with a range fault, as for a prefetch to the
 * host, while a CPU touches one of them. What is in RAM already is to stay.
 */
import { MIGRATE_VMA_SELECT_DEVICE_PRIVATE } from 'softleaf/hmm';
import { faultPages, withDriver } from './lib/driver.mjs';

const FIRST = { buf: 0, page: 0, pages: 1 };

export default withDriver(
  {
    name: 'driver that brings its pages back',
    setup: [
      { op: 'mmap', buf: 0, page: 0, pages: 2, prot: 'rw', kind: 'anon' },
      { op: 'cpu_write', buf: 0, page: 0, pages: 2, tag: 1 },
      { op: 'migrate_to_dev', dev: 0, ...FIRST },
    ],
    tasks: { cpu: [{ op: 'cpu_read', ...FIRST }] },
    after: [{ op: 'cpu_read', buf: 0, page: 0, pages: 2 }],
  },
  (system) => faultPages(system, [0, 0], MIGRATE_VMA_SELECT_DEVICE_PRIVATE),
);
