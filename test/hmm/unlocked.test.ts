/** Range faults that may give mmap_lock up, and those that must not, where a monitor gives what is missing. */
import { describe, expect, it } from 'vitest';
import {
  HMM_PFN_REQ_FAULT,
  HMM_PFN_REQ_WRITE,
  HMM_PFN_VALID,
  HMM_PFN_WRITE,
  type HmmRange,
  hmmRangeFaultUnlockedTimeout,
} from '../../src/hmm/index.ts';
import { EFAULT, EINVAL, EPERM, runToEnd } from '../../src/machine/index.ts';
import { userfaultfdRelease } from '../../src/mm/index.ts';
import { leafPfn } from '../../src/mm/look/leaves.ts';
import { entry, fault, migratingRange, range } from '../support/migration.ts';
import { Bench, type LooseOp } from '../support/system.ts';
import { Thread } from '../support/thread.ts';

const PAGES = 8;
const part = (page: number, pages: number) => ({ buf: 0, page, pages });
const ALL = part(0, PAGES);
const FAULT = HMM_PFN_REQ_FAULT;
const WRITE = HMM_PFN_REQ_FAULT | HMM_PFN_REQ_WRITE;
const ACCESS = HMM_PFN_VALID | HMM_PFN_WRITE;

function bench(...ops: LooseOp[]): Bench {
  const made = new Bench({ pmdOrder: 3, pageBytes: 16, cpus: 3 });
  made.all({ op: 'mmap', ...ALL, prot: 'rw', kind: 'anon' }, ...ops);
  return made;
}
const unlocked = (b: Bench, r: HmmRange) => runToEnd(b.k, hmmRangeFaultUnlockedTimeout(b.k, r));
const mmOf = (b: Bench) => b.system.process(0).mm;
const access = (r: HmmRange) => [...r.hmmPfns].map((pfn) => pfn & ACCESS);

describe('hmmRangeFaultUnlockedTimeout', () => {
  it('takes mmap_lock itself and gives it back', () => {
    const b = bench();
    const r = range(b, 0, 2, { defaultFlags: FAULT });
    r.notifierSeq = -1;
    expect(unlocked(b, r)).toBe(0);
    expect(access(r)).toEqual([HMM_PFN_VALID, HMM_PFN_VALID]);
    expect(mmOf(b).mmapLock.held).toBe(false);
    expect(unlocked(b, range(b, 0, PAGES + 1, { defaultFlags: FAULT }))).toBe(-EFAULT);
    b.all({ op: 'mprotect', ...ALL, prot: 'r' });
    expect(unlocked(b, range(b, 0, 1, { defaultFlags: WRITE }))).toBe(-EPERM);
    expect(mmOf(b).mmapLock.held).toBe(false);
    expect(b.end()).toEqual([]);
  });

  it('looks again by itself when its faults invalidate the range', () => {
    const b = bench(
      { op: 'cpu_write', ...part(0, 2), tag: 1 },
      { op: 'exclusive', dev: 1, ...part(0, 2) },
    );
    const r = range(b, 0, 2, { defaultFlags: FAULT });
    const { notifierSeq } = r;
    expect(unlocked(b, r)).toBe(0);
    expect(access(r)).toEqual([ACCESS, ACCESS]);
    expect(r.notifierSeq).not.toBe(notifierSeq);
    expect(b.end()).toEqual([]);
  });

  it('gives nothing of a process that is to die', () => {
    const b = bench({ op: 'oom_reap' });
    expect(unlocked(b, range(b, 0, 1, { defaultFlags: FAULT }))).toBe(-EFAULT);
    // also what need not be faulted in
    expect(unlocked(b, range(b, 0, 1))).toBe(-EFAULT);
    expect(mmOf(b).mmapLock.held).toBe(false);
    expect(b.end()).toEqual([]);
  });

  it('is not for a range to migrate', () => {
    const b = bench({ op: 'cpu_write', ...part(0, 1), tag: 1 });
    expect(unlocked(b, migratingRange(b, 0, 1))).toBe(-EINVAL);
    expect(b.end()).toEqual([]);
  });

  it('lets a monitor give what is missing, page by page, and begins anew each time', () => {
    const b = bench(
      { op: 'cpu_write', ...part(1, 1), tag: 1 },
      { op: 'mprotect', ...part(4, 4), prot: 'r' },
      { op: 'uffd_register', ...ALL },
    );
    const { k } = b;
    const ctx = b.system.userfaultfd(0);
    const r = range(b, 0, 6, { defaultFlags: FAULT });
    const device = new Thread(k, 'device', () => hmmRangeFaultUnlockedTimeout(k, r), 1);
    const missing = () => ctx.pending.map(({ vpn }) => vpn - b.vpn(0));
    for (const page of [0, 2, 3, 4, 5]) {
      device.run();
      expect([device.blocked, device.task.held, missing()]).toEqual([true, [], [page]]);
      // nobody has mmap_lock: an area can be changed meanwhile
      if (page === 2) b.all({ op: 'mprotect', ...part(7, 1), prot: 'none' });
      expect(b.do({ op: 'uffd_copy', ...part(page, 1), tag: 2 }).ret).toBe('ok');
      expect(missing()).toEqual([]);
    }
    expect(device.finish()).toBe(0);
    const given = [ACCESS, ACCESS, ACCESS, ACCESS, HMM_PFN_VALID, HMM_PFN_VALID];
    expect(access(r)).toEqual(given);
    expect(b.end()).toEqual([]);
  });

  it('sees what has become of the areas while it waited', () => {
    const b = bench({ op: 'uffd_register', ...ALL });
    const { k } = b;
    const r = range(b, 0, 2, { defaultFlags: FAULT });
    const device = new Thread(k, 'device', () => hmmRangeFaultUnlockedTimeout(k, r), 1);
    device.run();
    b.all({ op: 'munmap', ...part(0, 1) });
    // its page is gone, but it does not know
    expect(device.blocked).toBe(true);
    b.all({ op: 'uffd_unregister', ...ALL });
    expect(device.blocked).toBe(true);
    expect(b.do({ op: 'uffd_copy', ...part(0, 1), tag: 1 }).ret).toBe('ENOENT');
    expect(device.blocked).toBe(true);
    runToEnd(k, userfaultfdRelease(k, b.system.userfaultfd(0)));
    expect(device.finish()).toBe(-EFAULT);
    expect(b.end()).toEqual([]);
  });
});

describe('with mmap_lock held nobody waits for a monitor', () => {
  it.each([
    ['a plain walk', range],
    ['a migrating walk', migratingRange],
  ])('%s is refused where a page is missing', (_, make) => {
    const b = bench({ op: 'cpu_write', ...part(0, 2), tag: 1 }, { op: 'uffd_register', ...ALL });
    const r = make(b, 0, 4, { defaultFlags: FAULT });
    expect(fault(b, r)).toBe(-EFAULT);
    expect(b.system.userfaultfd(0).pending).toEqual([]);
    // without faults, and of what is there, all is as without
    const seen = range(b, 0, 4);
    expect(fault(b, seen)).toBe(0);
    expect(access(seen)).toEqual([ACCESS, ACCESS, 0, 0]);
    const there = make(b, 0, 2, { defaultFlags: FAULT });
    expect(fault(b, there)).toBe(0);
    expect(leafPfn(entry(b, 2).get())).toBe(0);
    expect(b.end()).toEqual([]);
  });
});
