/**
 * A driver that maps pages for DMA as it faults them, and notes so in `hmm_pfns[]` (hmm_dma_map_pfn()
 * does). Later it faults the same pages again, to migrate them, while a CPU writes to one.
 */
import { HMM_PFN_DMA_MAPPED, MIGRATE_VMA_SELECT_SYSTEM } from 'softleaf/hmm';
import { faultPages, withDriver } from './lib/driver.mjs';

const FIRST = { buf: 0, page: 0, pages: 1 };

function* driver(system) {
  const found = yield* faultPages(system, [0, 0]);
  const mapped = Array.from(found, () => HMM_PFN_DMA_MAPPED);
  yield* faultPages(system, mapped, MIGRATE_VMA_SELECT_SYSTEM);
}

export default withDriver(
  {
    name: 'driver with pages mapped for DMA',
    setup: [
      { op: 'mmap', buf: 0, page: 0, pages: 2, prot: 'rw', kind: 'anon' },
      { op: 'cpu_write', ...FIRST, tag: 1 },
    ],
    tasks: { cpu: [{ op: 'cpu_write', ...FIRST, tag: 2 }] },
  },
  driver,
);
