import { readdirSync, readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import withoutLock from '../../examples/scenarios/check-without-lock.mjs';
import {
  DEFAULT_PLAN,
  decodeSchedule,
  mailText,
  parseConcurrentProgram,
  programScenario,
  type Report,
  type ReportedFinding,
  report,
  reportPage,
  reportText,
  runJob,
  type Scenario,
  type Subject,
} from '../../src/checker/index.ts';
import { kernelFunction } from '../../src/program/internal.ts';
import { onePageProgram, PAGE, race } from '../support/one-page.ts';
import { scenarioProgram } from '../support/scenarios.ts';

/** A report of two tasks that take turns after every 50 steps. */
function turns(steps: number): Report {
  const task = (at: number) => Math.floor(at / 50) % 2;
  const all = Array.from({ length: steps }, (_, at) => at);
  return {
    tasks: ['gpu', 'cpu'],
    finding: { title: 'without end', invariant: 'livelock', function: '', stack: [] },
    total: steps,
    several: false,
    rounds: [],
    by: null,
    own: [],
    steps: all.map((at) => ({
      at,
      task: task(at),
      operation: null,
      what: `read <${at}>`,
      sentence: `looks at <${at}>`,
      stack: ['walk'],
    })),
    switches: all
      .filter((at) => at % 50 === 49 && at < steps - 1)
      .map((at) => ({
        at,
        from: task(at),
        to: 1 - task(at),
        operation: null,
        stack: ['walk', 'fault'],
        held: [{ name: 'mutex', since: at - 3 }],
      })),
    left: [
      {
        task: 0,
        operation: null,
        what: 'wait for invalidation',
        sentence: 'waits for invalidation',
        stack: ['fault'],
        held: [],
      },
    ],
  };
}

const page = (report: Report) =>
  reportPage('Heading', 'summary', [{ title: 't', where: 'w', replay: 'r', report }]);

describe('a report', () => {
  it('has every step in the column of its task, and every change of task', () => {
    const lines = reportText(turns(90), 120).split('\n');
    const at = (n: number) => lines.findIndex((line) => line.trim().startsWith(`${n}  `));
    expect(lines[at(49)]).toMatch(/^ +49 {2}walk {2}read <49> +\|$/);
    expect(lines[at(50)]).toMatch(/^ +50 {2} +\| walk {2}read <50>$/);
    expect(lines.slice(at(49) + 1, at(50))).toEqual([
      '       ~ gpu is left in walk < fault',
      '         and holds mutex (since step 46); cpu goes on',
    ]);
    expect(lines.join('\n')).toContain(
      '! gpu: next it waits for invalidation in fault\n         and holds no lock\n' +
        '  ==>  livelock: without end',
    );
    expect(lines.join('\n')).not.toContain('lines like these');
  });

  it('is cut where it goes on and on, in text and on a page', () => {
    const report = turns(5000);
    const text = reportText(report, 120);
    expect(text.split('\n').length).toBeLessThan(120);
    expect(text).toMatch(/ 0 {2}walk {2}read <0>/);
    // 5000 steps and 99 changes of task, less the first 80 and the last 20
    expect(text).toContain('… 4999 lines like these …');
    expect(text).toMatch(/ 4999 .*read <4999>/);
    expect(text).toContain('! gpu: next it waits');
    const html = page(report);
    expect(html.match(/<tr>/g)?.length).toBeLessThan(120);
    expect(html).toContain('… 4999 lines like these …');
    expect(html).toContain('looks at &lt;4999&gt;');
    expect(html).toContain('gpu: next it waits for invalidation');
  });
});

const found = new Map<string, ReportedFinding>();
/** What the first schedules of a shipped program show with the patch as it was posted. */
function posted(name: string): ReportedFinding {
  const known = found.get(name) ?? findingOf({ program: scenarioProgram(name) }, 'as-posted');
  found.set(name, known);
  return known;
}

/** The first thing that an exhaustive search finds. */
function findingOf(subject: Subject, walk: 'unified' | 'as-posted' = 'unified'): ReportedFinding {
  const effort = { schedules: 200, time: 60_000 };
  const [finding] = runJob(subject, walk, { ...DEFAULT_PLAN, findings: 1 }, { effort }).findings;
  return finding;
}

const gpu = () => findingOf({ scenario: withoutLock as unknown as Scenario });

describe('what a reader sees of a finding', () => {
  it('is objects by name, the function first, and who it was', () => {
    expect(reportText(gpu().report, 80)).toBe(`\
       gpu                                | cpu
       -----------------------------------+-----------------------------------
    2  mmuIntervalReadBegin  lock notifi… |
    5  hmmRangeFault  read seq dev0       |
    6  walkTables  read pmd buf0:0        |
    7  walkPmd  read pmd buf0:0           |
    8  walkPmd  read pmd buf0:0           |
    9  walkPmd  read pte buf0:0           |
   11  faultCheckedWithoutLock  read seq… |
       ~ gpu is left in faultCheckedWithoutLock < gpuRead < gpu
         and holds no lock; cpu goes on
   16                                     | invalidate  change seq dev0
   20                                     | zapPte  write pte buf0:0
   28                                     | drop  write pmd buf0:0
   34  mapPage  change dev0 page table    |
       ! gpu: next it gives back the lock of GPU page table in
         faultCheckedWithoutLock < gpuRead < gpu
         and holds the lock of GPU page table (since step 33)
  ==>  device page table: a device maps a page where the process has none
       device 0 maps buffer 0 page 0 to PFN 1
       by gpu
         mapPage
         faultCheckedWithoutLock
         gpuRead
         gpu
`);
  });

  it('has the operation that each task is in, and the kernel names of functions where there is room', () => {
    const text = reportText(posted('device-fault-hole').report, 120);
    expect(text).toContain('> fault_migrate_to_dev dev0 buf0:0\n');
    expect(text).toMatch(
      / mnItreeInvEnd {2}unlock notifier subscriptions {2}mn_itree_inv_end\(\)$/m,
    );
    expect(text).toContain('and holds the mmap_lock of process 0 (since step 1)');
    expect(text).toMatch(
      /==> {2}contract: a range fault gives a hole .*\n {7}buffer 0 page 0, PFN \d+\n {7}by gpu, in fault_migrate_to_dev dev0 buf0:0\n {9}hmmRangeFault +hmm_range_fault\(\)\n/,
    );
  });

  it('names locks that are held as it names them where they are taken', () => {
    const program = onePageProgram('held', {
      gpu: [{ op: 'migrate_to_dev', ...PAGE, dev: 0 }],
      cpu: [{ op: 'cpu_read', ...PAGE }],
    });
    const shown = { title: 'shown', invariant: 'data' as const, function: '', stack: [] };
    const held = new Set<string>();
    for (let steps = 1; steps < 45; steps++) {
      const runs = [0, 1].map((task) => ({ task, steps: task ? Infinity : steps, fail: false }));
      const { switches } = report(programScenario(program), {}, runs, shown);
      for (const { from, held: locks } of switches)
        if (from === 0)
          for (const { name } of locks) held.add(name.replace(/folio \d+/, 'folio N'));
    }
    expect(held).toContain('the page table lock of buffer 0 page 0');
    expect(held).toContain('the lock of folio N of buffer 0 page 0');
    expect([...held].join('\n')).not.toMatch(/page table \d|folio N$/m);
  });

  it('of an operation that must return something else names that operation and no function', () => {
    const program = parseConcurrentProgram({ ...race(), after: [] });
    const { function: at, report } = findingOf({ program });
    expect({ at, stack: report.finding.stack }).toEqual({ at: '', stack: [] });
    expect(report.finding.detail).toBe('reader, operation 0: cpu_read buf0:0');
    const read = { op: 'cpu_read', buf: 0, page: 0, pages: 1, expect: { tags: [[7, 1, 0]] } };
    const later = parseConcurrentProgram({ ...race(), tasks: { a: [], b: [] }, after: [read] });
    expect(findingOf({ program: later }).report.finding).toMatchObject({
      function: '',
      stack: [],
      detail: 'after, operation 0: cpu_read buf0:0',
    });
  });

  /** Functions of the checker, and what performs operations for it. */
  const checkers = new Set(
    ['checker', 'recording'].flatMap((room) => {
      const folder = new URL(`../../src/${room}/`, import.meta.url);
      return readdirSync(folder, { recursive: true, encoding: 'utf8' })
        .filter((path) => path.endsWith('.ts'))
        .flatMap((path) => [
          ...readFileSync(new URL(path, folder), 'utf8').matchAll(
            /^(?:export )?function\*? (\w+)/gm,
          ),
        ])
        .map(([, name]) => name);
    }),
  );

  const POSTED = [
    'huge-rest-against-dontneed',
    'huge-rest-pinned',
    'huge-device-fault-pageout',
    'device-fault-hole',
    'lazily-freed',
  ];

  it.each(POSTED)(
    'keeps to its width, and has no number of the checker and no function of it: %s',
    (name) => {
      const { report, function: at } = posted(name);
      expect(checkers.size).toBeGreaterThan(100);
      const all = [...report.steps, ...report.switches, ...report.left, report.finding];
      const functions = [at, ...all.flatMap(({ stack }) => stack)];
      const isCheckers = (one: string) => checkers.has(one) && kernelFunction(one) === undefined;
      expect(functions.filter(isCheckers)).toEqual([]);
      for (const width of [80, 100, 120]) {
        const text = reportText(report, width);
        expect(text.split('\n').filter((line) => line.length > width)).toEqual([]);
        // locks and sequences count from a million, entries from the table's number times its size
        expect(text).not.toMatch(/\b(entry|sequence|lock|seq|ptl|table) \d|\d{6}/);
      }
    },
  );

  /** The mail of a finding. */
  function mailOf(scenario: Scenario, { walk, schedule, hardware }: ReportedFinding): string {
    const runs = decodeSchedule(
      schedule,
      schedule.split('.')[1],
      Object.keys(scenario.tasks).length,
    );
    const setup = { walk, ...(hardware ? { hardware } : {}) };
    return mailText(scenario, setup, runs, {
      walk,
      replay: `softleaf check x --replay ${schedule}`,
    });
  }

  /** The names of kernel functions that the model mirrors, and what takes and gives back locks. */
  const kernel = new Set(
    [
      ...readFileSync(new URL('../../docs/kernel-map.md', import.meta.url), 'utf8').matchAll(
        /\b(\w+)\(\)/g,
      ),
    ].map(([, name]) => name),
  );
  const LOCKING =
    /^(folio|mmap|i_mmap|anon_vma|spin|mutex|read|write)_(read_|write_)?(try|un)?lock(_read|_write)?$/;

  it.each(POSTED)('is a mail in kernel functions: %s', (name) => {
    const finding = posted(name);
    const { program, schedule } = finding.shrunk ?? {
      program: scenarioProgram(name),
      schedule: '',
    };
    const mail = mailOf(programScenario(program) as unknown as Scenario, { ...finding, schedule });
    expect(mail.split('\n').filter((line) => line.length > 80)).toEqual([]);
    const [, columns] = mail.split(/^-+\n/m);
    const [body] = columns.split('\n\n');
    const names = [...body.matchAll(/\b([a-z_]\w*)\(/g)].map(([, called]) => called);
    expect(names.length).toBeGreaterThan(4);
    expect(names.filter((one) => !kernel.has(one) && !LOCKING.test(one))).toEqual([]);
    expect(mail).not.toMatch(/\d{6}/);
    // what it is, and who stands where
    expect(mail.replace(/\s+/g, ' ')).toContain(finding.report.finding.title);
    expect(mail).toMatch(/^CPU0 \(/m);
  });

  it('is a mail in which a driver of one’s own has its own names', () => {
    const scenario = withoutLock as unknown as Scenario;
    expect(mailOf(scenario, gpu())).toMatchInlineSnapshot(`
      "Subject: a GPU that checks without its lock: a device maps a page where the
        process has none

      A model of Linux 7.3.4 (Softleaf) ran gpu on CPU0 and cpu on CPU1 in the
      order below. Migrations are prepared as with its walk "unified". buf0:1 is
      the second page of the first mapping.

      CPU0: gpu                             CPU1: cpu
      ----------------------------------------------------------------------------
       gpu()
        gpuRead()
         mutex_lock(GPU page table)
         mutex_unlock(GPU page table)
         faultCheckedWithoutLock()
          newRange()
           mmu_interval_read_begin()
            spin_lock(&subscriptions->lock)
            spin_unlock(&subscriptions->lock)
          rangeFault()
           mmap_read_lock(mm)
           hmm_range_fault()
            looks at the sequence of device 0's notifier
            walk_page_range()
             walk_pgd_range()
              reads the PMD entry of buffer 0 page 0
              hmm_vma_walk_pmd()
               reads the PMD entry of buffer 0 page 0
               reads the entry of buffer 0 page 0
           mmap_read_unlock(mm)
          looks at the sequence of device 0's notifier
                                             cpu()
                                              __vm_munmap()
                                               mmap_write_lock(mm)
                                               do_vmi_align_munmap()
                                                mn_itree_invalidate()
                                                 mn_itree_inv_start_range()
                                                  spin_lock(&subscriptions->lock)
                                                 spin_unlock(&subscriptions->lock)
                                                 invalidate()
                                                  mutex_lock(GPU page table)
                                                  changes the sequence of device
                                                    0's notifier
                                                  mutex_unlock(GPU page table)
                                                __zap_vma_range()
                                                 zap_pte_range()
                                                  zap_present_ptes()
                                                   writes the entry of buffer 0
                                                     page 0
                                             __mmu_notifier_invalidate_range_end()
                                                 mn_itree_inv_end()
                                                  spin_lock(&subscriptions->lock)
                                                 spin_unlock(&subscriptions->lock)
                                                free_pgd_range()
                                                 writes the PMD entry of buffer 0
                                                   page 0
                                               mmap_write_unlock(mm)
          mutex_lock(GPU page table)
          mapPage()
           changes the page table of device 0

      A device maps a page where the process has none in mapPage() on CPU0.

      Device 0 maps buffer 0 page 0 to PFN 1.

      CPU0 (gpu) in faultCheckedWithoutLock() holds the lock of GPU page table;
            next it gives back the lock of GPU page table.
      CPU1 (cpu) has ended.

      To see it again:

          softleaf check x --replay 2.0cudx622q.a12b.jvc7l
      "
    `);
  });
});
