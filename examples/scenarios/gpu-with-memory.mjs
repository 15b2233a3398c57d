/**
 * A GPU with memory of its own writes to a page that comes to it, while a CPU writes to the same page, which brings
 * it back, or while the GPU's memory is emptied. Nothing that anybody wrote may be lost.
 */
import { runToEnd } from 'softleaf/machine';
import {
  CountingLedger,
  checkEmpty,
  checkQuiescent,
  cpuReadWord,
  cpuWriteWord,
  exitMmap,
  Kernel,
  mmapRegion,
  VM_READ,
  VM_WRITE,
} from 'softleaf/mm';
import { closeGpu, evict, Gpu, gpuAccess, openGpu } from './lib/gpu-with-memory.mjs';

/** @param passes of the GPU's fault: 1 or 2 walks */
function scenario(name, passes, other) {
  return {
    name,
    setup({ walk }) {
      const k = new Kernel({
        ...(walk ? { walk } : {}),
        pmdOrder: 2,
        tableBits: 4,
        pageBytes: 16,
        cpus: 2,
        poison: true,
      });
      k.ledger = new CountingLedger(k);
      const mm = k.newMm();
      const page = k.geometry.vpnOf(0, 0);
      runToEnd(k, mmapRegion(k, mm, page, page + 1, VM_READ | VM_WRITE, null));
      runToEnd(k, cpuWriteWord(k, mm, page, 1));
      const gpu = new Gpu(k, 0, 2);
      const mirror = runToEnd(k, openGpu(k, gpu, mm));
      return { k, mm, gpu, mirror, page, word: null };
    },
    kernel: ({ k }) => k,
    tasks: {
      *gpu({ k, mirror, page }) {
        yield* gpuAccess(k, mirror, page, 2, passes);
      },
      ...other,
    },
    check(state) {
      const { k, mm, gpu, mirror, page } = state;
      const broken = checkQuiescent(k, { locks: [mirror.mutex, gpu.lock] });
      state.word = runToEnd(k, cpuReadWord(k, mm, page));
      if (state.word === 2 || (state.word === 3 && 'cpu' in other)) return broken;
      const title = `the CPU reads ${state.word}`;
      return [...broken, { invariant: 'data', title, where: 'the page' }];
    },
    outcome: ({ word }) => String(word),
    shutdown({ k, mm, gpu, mirror }) {
      runToEnd(k, closeGpu(k, mirror));
      runToEnd(k, exitMmap(k, mm));
      return [...checkQuiescent(k, { locks: [mirror.mutex, gpu.lock] }), ...checkEmpty(k)];
    },
  };
}

/** A CPU writes to the page: what is on the GPU comes back. */
const cpu = {
  *cpu({ k, mm, page }) {
    yield* cpuWriteWord(k, mm, page, 3);
  },
};
/** The GPU's memory is emptied. */
const eviction = {
  *evict({ k, gpu }) {
    yield* evict(k, gpu);
  },
};

export default [
  scenario('a GPU with memory against a CPU, one pass', 1, cpu),
  scenario('a GPU with memory against a CPU, two passes', 2, cpu),
  scenario('a GPU with memory against its eviction, one pass', 1, eviction),
  scenario('a GPU with memory against its eviction, two passes', 2, eviction),
];
