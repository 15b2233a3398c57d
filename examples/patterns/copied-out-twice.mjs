/**
 * A driver evicts a page of its GPU by frame number, while a CPU brings the same page back. The CPU's fault holds the
 * page until it returns, so that it is not free yet after it has migrated: the eviction takes it for one that is still
 * to migrate, and copies what nobody needs any more. A driver that notes which pages have gone leaves it. Nothing breaks by it that
 * all have to keep to; so the driver asks for a rule: a device page is copied out once in one life.
 */
import { runToEnd } from 'softleaf/machine';
import { migrateLocked, Owner, SvmGpu } from './lib/svm-gpu.mjs';
import { withTasks } from './lib/with-tasks.mjs';

const PAGE = { buf: 0, page: 0, pages: 1 };

const scenario = (name, looks) =>
  withTasks(
    {
      name,
      setup: [
        { op: 'mmap', ...PAGE, prot: 'rw', kind: 'anon' },
        { op: 'cpu_write', ...PAGE, tag: 1 },
        { op: 'madvise', ...PAGE, advice: 'willneed' },
      ],
      tasks: { cpu: [{ op: 'cpu_read', ...PAGE }] },
      after: [{ op: 'cpu_read', ...PAGE, expect: { tags: [[65536, 1, 0]] } }],
    },
    {
      *evict({ k, own }) {
        yield* own.gpu.evict(k, own.page, looks);
      },
    },
    {
      rules: ['copied out once'],
      prepare({ k, system, own }) {
        const { mm } = system.mirrors[0];
        own.gpu = new SvmGpu(k, 'gpu', new Owner(), 1);
        runToEnd(k, migrateLocked(k, mm, own.gpu, k.geometry.vpnOf(0, 0), 1));
        own.page = own.gpu.used[0];
      },
    },
  );

export const wrong = scenario('an eviction that does not look whether the page has gone', false);
export const right = scenario('an eviction that looks whether the page has gone', true);
export default [wrong, right];
