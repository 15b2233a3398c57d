/**
 * A worker that maps a range again waits for the GPU with the driver's mutex held. The GPU waits until a fault of its
 * own is answered, which takes the mutex. A worker that waits after it has given the mutex back is in nobody's way.
 */
import { Userptr } from './lib/userptr.mjs';
import { under, withTasks } from './lib/with-tasks.mjs';

const PAGE = { buf: 0, page: 0, pages: 1 };

/** The GPU has ended its job when it lets the fence go. */
const waitForGpu = ({ k, own }) => under(k, own.fence, function* () {});

const scenario = (name, after) =>
  withTasks(
    {
      name,
      setup: [
        { op: 'mmap', ...PAGE, prot: 'rw', kind: 'file-private' },
        { op: 'cpu_read', ...PAGE },
      ],
      tasks: { reclaim: [{ op: 'madvise', ...PAGE, advice: 'pageout' }] },
    },
    {
      *worker(parts) {
        const { k, own } = parts;
        yield* under(k, own.mutex, function* () {
          yield* own.range.restore(k);
          if (!after) yield* waitForGpu(parts);
        });
        if (after) yield* waitForGpu(parts);
      },
      *gpu({ k, own }) {
        yield* under(k, own.fence, function* () {
          // its job touches memory that is not mapped
          if ((yield* own.range.read(k)) !== null) return;
          yield* under(k, own.mutex, () => own.range.restore(k));
        });
      },
    },
    {
      prepare({ k, system, own }) {
        own.mutex = k.newLock('ranges of the process', 'mutex');
        own.fence = k.newLock('fence', 'mutex');
        const table = k.newLock('GPU page table', 'mutex');
        const { mm } = system.process(0);
        own.range = new Userptr(k, mm, table, k.geometry.vpnOf(PAGE.buf, PAGE.page), PAGE.pages);
      },
      cleanup: ({ k, own }) => own.range.close(k),
    },
  );

export const wrong = scenario('a worker that waits for the GPU with its mutex', false);
export const right = scenario('a worker that waits for the GPU after its mutex', true);
export default [wrong, right];
