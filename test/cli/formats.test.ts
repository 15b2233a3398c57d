import { describe, expect, it } from 'vitest';
import { type Case, formatCases } from '../../src/cli/formats.ts';

const CASES: Case[] = [
  { name: 'one', outcome: 'passed', file: 'a,b.jsonl', line: 1 },
  {
    name: 'two #2',
    outcome: 'failed',
    message: 'op 1 differs',
    details: ['recorded  ok', 'run  <EFAULT> & more'],
    file: 'a,b.jsonl',
    line: 2,
  },
  { name: 'three', outcome: 'skipped', message: 'known' },
  { name: 'four', outcome: 'error', message: 'no JSON: 100%\u0007', file: 'x', line: 4, column: 7 },
];

describe('formats', () => {
  it('KTAP', () => {
    expect(formatCases('ktap', 'suite', CASES)).toBe(
      [
        'KTAP version 1',
        '# suite',
        '1..4',
        'ok 1 one',
        '# recorded  ok',
        '# run  <EFAULT> & more',
        'not ok 2 two \\#2 # op 1 differs',
        'ok 3 three # SKIP known',
        'not ok 4 four # no JSON: 100%\u0007',
        '# Totals: pass:1 fail:1 xfail:0 xpass:0 skip:1 error:1',
        '',
      ].join('\n'),
    );
  });

  it('JUnit', () => {
    const text = formatCases('junit', 'a "suite"', CASES);
    expect(text).toContain(
      '<testsuite name="a &quot;suite&quot;" tests="4" failures="1" errors="1" skipped="1">',
    );
    expect(text).toContain(
      '<failure message="op 1 differs">recorded  ok\nrun  &lt;EFAULT&gt; &amp; more</failure>',
    );
    expect(text).toContain('message="no JSON: 100%?"');
    expect(text.match(/<testcase /g)).toHaveLength(4);
  });

  it("GitHub's annotations", () => {
    expect(formatCases('github', 'suite', CASES)).toBe(
      '::error file=a%2Cb.jsonl,line=2,title=suite%3A two #2::op 1 differs%0Arecorded  ok%0Arun  <EFAULT> & more\n' +
        '::error file=x,line=4,col=7,title=suite%3A four::no JSON: 100%25\u0007\n' +
        'suite: 1 of 4 passed\n',
    );
  });
});
