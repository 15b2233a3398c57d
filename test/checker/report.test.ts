import { describe, expect, it } from 'vitest';
import { type Report, reportPage, reportText } from '../../src/checker/index.ts';

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
    steps: all.map((at) => ({ at, task: task(at), what: `look at <${at}>`, stack: ['walk'] })),
    switches: all
      .filter((at) => at % 50 === 49 && at < steps - 1)
      .map((at) => ({
        at,
        from: task(at),
        to: 1 - task(at),
        stack: ['walk', 'fault'],
        held: [{ name: 'mutex', since: at - 3 }],
      })),
    left: [{ task: 0, what: 'wait for invalidation', stack: ['fault'], held: [] }],
  };
}

const page = (report: Report) =>
  reportPage('Heading', 'summary', [{ title: 't', where: 'w', replay: 'r', report }]);

describe('a report', () => {
  it('has every step in the column of its task, and every change of task', () => {
    const lines = reportText(turns(90), 120).split('\n');
    const at = (n: number) => lines.findIndex((line) => line.trim().startsWith(`${n}  `));
    expect(lines[at(49)]).toMatch(/^ +49 {2}look at <49> {2}walk +\|$/);
    expect(lines[at(50)]).toMatch(/^ +50 {2} +\| look at <50> {2}walk$/);
    expect(lines.slice(at(49) + 1, at(50))).toEqual([
      '       ~ gpu is left in walk < fault',
      '         and holds mutex (since step 46); cpu goes on',
    ]);
    expect(lines.join('\n')).toContain(
      '! gpu is about to wait for invalidation in fault\n         and holds no lock\n' +
        '  ==>  livelock: without end',
    );
    expect(lines.join('\n')).not.toContain('lines like these');
  });

  it('is cut where it goes on and on, in text and on a page', () => {
    const report = turns(5000);
    const text = reportText(report, 120);
    expect(text.split('\n').length).toBeLessThan(120);
    expect(text).toMatch(/ 0 {2}look at <0>/);
    // 5000 steps and 99 changes of task, less the first 80 and the last 20
    expect(text).toContain('… 4999 lines like these …');
    expect(text).toMatch(/ 4999 .*look at <4999>/);
    expect(text).toContain('! gpu is about to');
    const html = page(report);
    expect(html.match(/<tr>/g)?.length).toBeLessThan(120);
    expect(html).toContain('… 4999 lines like these …');
    expect(html).toContain('look at &lt;4999&gt;');
    expect(html).toContain('gpu is about to wait for invalidation');
  });
});
