import { describe, expect, it } from 'vitest';
import { kernelReports, knownReport } from '../../src/kernel/report.ts';

const lines = (text: string) => text.trim().split('\n');

describe('reports of a kernel', () => {
  it('a WARN: what is alike in every one, and the functions', () => {
    const text = `
[    2.562919] test_hmm: loading out-of-tree module taints kernel.
[    3.435628] WARNING: test_hmm.c:302 at dmirror_do_fault+0x11a/0x1e0 [test_hmm], CPU#0: init/100
[    3.436431] Modules linked in: test_hmm(OE)
[    3.438886] RIP: 0010:dmirror_do_fault+0x11a/0x1e0 [test_hmm]
[    3.439650] RAX: 000000000fcdfa00 RBX: ff32cb6b00607ac0 RCX: ff17a6b281705600
[    3.442807] Call Trace:
[    3.443497]  <TASK>
[    3.443945]  dmirror_fault+0x208/0x240 [test_hmm]
[    3.444465]  ? devkmsg_read+0x11c/0x2c0
[    3.444632]  __x64_sys_ioctl+0x96/0xe0
[    3.444987]  do_syscall_64+0xc2/0x520
[    3.446441]  entry_SYSCALL_64_after_hwframe+0x76/0x7e
[    3.446701] RIP: 0033:0x44159b
[    3.457077]  </TASK>
[    3.457183] ---[ end trace 0000000000000000 ]---`;
    expect(kernelReports(lines(text))).toEqual([
      {
        title: 'WARNING: test_hmm.c:302 at dmirror_do_fault',
        frames: ['dmirror_do_fault', 'dmirror_fault', '__x64_sys_ioctl', 'do_syscall_64'],
      },
    ]);
    const older = ['<4>[ 1.0] WARNING: CPU: 1 PID: 77 at mm/x.c:12 f+0x1/0x2', ' g+0x1/0x2 [m]'];
    expect(kernelReports(older)).toEqual([{ title: 'WARNING: mm/x.c:12 at f', frames: ['g'] }]);
  });

  it('an oops is one report, and so is the panic behind it', () => {
    const text = `
BUG: unable to handle page fault for address: ffffea0004000000
#PF: supervisor read access in kernel mode
Oops: Oops: 0000 [#1] SMP KASAN
RIP: 0010:remove_it+0x10/0x20
Call Trace:
 <TASK>
 finish_it+0x1/0x2
 </TASK>
---[ end trace 0000000000000000 ]---
Kernel panic - not syncing: Fatal exception`;
    expect(kernelReports(lines(text))).toEqual([
      { title: 'BUG: unable to handle page fault', frames: ['remove_it', 'finish_it'] },
    ]);
    expect(kernelReports(['Kernel panic - not syncing: VFS: Unable to mount root fs'])).toEqual([
      { title: 'Kernel panic - not syncing: VFS: Unable to mount root fs', frames: [] },
    ]);
  });

  it('KASAN, lockdep, a BUG and a soft lockup, each for itself', () => {
    const text = `
BUG: KASAN: slab-use-after-free in one+0x1/0x2
Read of size 8 at addr ffff888003c0d010 by task init/61
 two+0x1/0x2
==================================
WARNING: possible circular locking dependency detected
init/61 is trying to acquire lock:
 three+0x1/0x2
kernel BUG at mm/rmap.c:1234!
RIP: 0010:four+0x10/0x20
watchdog: BUG: soft lockup - CPU#0 stuck for 26s! [init:61]`;
    expect(kernelReports(lines(text))).toEqual([
      { title: 'BUG: KASAN: slab-use-after-free in one', frames: ['two'] },
      { title: 'WARNING: possible circular locking dependency detected', frames: ['three'] },
      { title: 'kernel BUG at mm/rmap.c:1234!', frames: ['four'] },
      { title: 'watchdog: BUG: soft lockup', frames: [] },
    ]);
  });

  it('has at most eight functions, and nothing of a quiet console', () => {
    const many = Array.from({ length: 20 }, (_, i) => ` f${i}+0x1/0x2`);
    const [report] = kernelReports(['WARNING: x', ...many]);
    expect(report.frames).toEqual(['f0', 'f1', 'f2', 'f3', 'f4', 'f5', 'f6', 'f7']);
    expect(kernelReports(['[    0.1] APIC calibration not consistent', ...many])).toEqual([]);
  });

  it('known ones are of these functions alone', () => {
    const known = (title: string) => knownReport({ title, frames: [] }) !== undefined;
    expect(known('WARNING: test_hmm.c:302 at dmirror_do_fault')).toBe(true);
    expect(known('WARNING: lib/test_hmm.c:317 at dmirror_do_fault')).toBe(true);
    expect(known('WARNING: mm/memremap.c:158 at memremap_pages')).toBe(true);
    expect(known('WARNING: lib/test_hmm.c:317 at dmirror_migrate_finalize_and_map')).toBe(false);
    expect(known('BUG: KASAN: slab-use-after-free in dmirror_do_fault')).toBe(false);
  });
});
