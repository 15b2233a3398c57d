/** `softleaf check`, as it is built: its workers, its files, its exit codes. */
import { spawn, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { STRATEGIES, sealedSchedule } from '../../src/checker/index.ts';
import { jobsOf } from '../../src/cli/check/plans.ts';
import { executable, root, softleaf } from '../support/cli.ts';
import { race } from '../support/one-page.ts';

const scenario = (name: string) => join(root, 'scenarios', `${name}.json`);
const example = (name: string) => join(root, 'examples/scenarios', `${name}.mjs`);
/** One search, of every order. */
const EXHAUSTIVE = ['--strategy', 'exhaustive'];
/** What every schedule keeps to where no option says otherwise. */
const ASSUMES = [
  'no allocation fails',
  'at most 1 lock is let go in the middle',
  'TLBs do nothing on their own',
];
/** A scenario whose search is over after some hundred schedules. */
const SOME_HUNDRED = scenario('eviction-against-device-fault');

let dir: string;
beforeAll(() => {
  dir = mkdtempSync(join(tmpdir(), 'softleaf-check-'));
});
afterAll(() => rmSync(dir, { recursive: true, force: true }));

const file = (name: string, text: string) => {
  writeFileSync(join(dir, name), text);
  return join(dir, name);
};
let modules = 0;
/** A module: what Node has read once it never reads again. */
const moduleFile = (name: string, text: string) => {
  const folder = `module-${++modules}`;
  mkdirSync(join(dir, folder));
  return file(join(folder, name), text);
};

/** One thread does, where threads are not what is looked at. */
const check = (...args: string[]) =>
  softleaf(['check', ...(args.includes('--workers') ? [] : ['--workers', '1']), ...args], dir);

/** Runs with `--json`: exit code and the object. */
function checkJson(...args: string[]) {
  const { code, out, err } = check(...args, '--json');
  expect(err).toBe('');
  expect(out).toMatch(/^[^\n]+\n$/);
  return { code, ...JSON.parse(out) };
}

const raceFile = (name: string, ...args: Parameters<typeof race>) =>
  file(name, JSON.stringify(race(...args)));
let found: { schedule: string; title: string }[] | undefined;
/** What is found in it, once for all. */
const foundRace = () => (found ??= checkJson(raceFile('race.json')).findings) ?? [];
const raceTitle = 'cpu_read: tags must be [[65536,1,0]], is [[131072,1,0]]';

const KEYS = [
  ...['title', 'invariant', 'function', 'task', 'operation', 'detail', 'scenario', 'walk'],
  ...['schedule', 'steps', 'preemptions', 'file'],
];
const COVERAGE = [
  ...['scenarios', 'cases', 'proved', 'schedules', 'steps', 'states'],
  ...['complete', 'searches', 'bounds', 'assumes'],
  ...['functions', 'branches', 'pairs', 'entries', 'entered', 'reasons'],
];

/** What `--json` printed has the shape that is promised, and nothing else. */
function expectShape(json: Record<string, unknown>): void {
  const { code: _, ...object } = json;
  expect(Object.keys(object)).toEqual(['verdict', 'findings', 'warnings', 'mistakes', 'coverage']);
  expect(['proved', 'nothing-found', 'found']).toContain(object.verdict);
  for (const finding of object.findings as Record<string, unknown>[]) {
    expect(Object.keys(finding).filter((key) => key !== 'hardware')).toEqual(KEYS);
    for (const key of ['title', 'invariant', 'scenario', 'walk', 'file']) {
      expect(finding[key]).toEqual(expect.stringMatching(/./));
    }
    expect(finding.schedule).toMatch(/^2\.[0-9a-z]{9}\.[a-p0-9!]*\.[0-9a-z]{5}$/);
    expect(finding.steps).toEqual(expect.any(Number));
    expect(finding.preemptions).toEqual(expect.any(Number));
  }
  expect(Object.keys(object.coverage as object)).toEqual(COVERAGE);
}

describe('--json', () => {
  it('of a finding', () => {
    const json = checkJson(raceFile('race.json'), ...EXHAUSTIVE);
    expectShape(json);
    expect(json).toMatchObject({
      code: 1,
      verdict: 'found',
      findings: [
        {
          title: raceTitle,
          invariant: 'expectation',
          function: '',
          task: 'reader',
          operation: 'cpu_read buf0:0',
          detail: 'reader, operation 0: cpu_read buf0:0',
          scenario: 'race',
          preemptions: 0,
        },
      ],
      coverage: { scenarios: 1, schedules: 2, states: 1, complete: 1, searches: 1, bounds: [] },
    });
  });

  it('of what is proved', () => {
    const json = checkJson(scenario('device-fault-munmap'), '--require-complete');
    expectShape(json);
    expect(json).toMatchObject({ code: 0, verdict: 'proved', findings: [] });
    expect(json.coverage).toMatchObject({ scenarios: 1, cases: 1, proved: 1, complete: 1 });
    expect(json.coverage).toMatchObject({ bounds: [], assumes: ASSUMES });
    expect(json.coverage.states).toBeGreaterThan(1);
  });

  it('says what bounded a search that found nothing', () => {
    const few = ['--schedules', '20'];
    const { code, verdict, coverage } = checkJson(SOME_HUNDRED, ...few);
    expect({ code, verdict }).toEqual({ code: 0, verdict: 'nothing-found' });
    expect(coverage).toMatchObject({ schedules: 20, proved: 0, complete: 0, searches: 1 });
    expect(coverage.bounds).toEqual(['20 schedules a search']);
    const random = checkJson(SOME_HUNDRED, ...few, '--strategy', 'pct', '--faults', '1');
    expect(random).toMatchObject({ code: 0, verdict: 'nothing-found' });
    expect(random.coverage).toMatchObject({
      complete: 0,
      bounds: ['schedules at random', '20 schedules a search'],
      assumes: ['at most 1 allocation fails', ...ASSUMES.slice(1)],
    });
    // to the end, but with a bound
    const preempted = checkJson(scenario('device-fault-munmap'), '--preemptions', '0');
    expect(preempted).toMatchObject({ code: 0, verdict: 'nothing-found' });
    expect(preempted.coverage).toMatchObject({ proved: 0, bounds: ['at most 0 preemptions'] });
  });

  it('exits with 3 where not everything was tried, and that is required', () => {
    const required = [SOME_HUNDRED, '--require-complete'];
    const cut = checkJson(...required, '--schedules', '20');
    expect(cut).toMatchObject({ code: 3, verdict: 'nothing-found' });
    const random = checkJson(...required, '--strategy', 'random', '--schedules', '20');
    expect(random).toMatchObject({ code: 3, verdict: 'nothing-found' });
    // of two scenarios one is proved
    const both = [scenario('device-fault-munmap'), ...required, '--schedules', '20'];
    const some = checkJson(...both);
    expect(some).toMatchObject({ code: 3, verdict: 'nothing-found' });
    expect(some.coverage).toMatchObject({ scenarios: 2, cases: 2, proved: 1 });
    expect(some.coverage.bounds).toEqual(['20 schedules a search']);
    // what was found is found, whatever else was tried
    const found = checkJson(raceFile('race.json'), ...required, '--schedules', '20');
    expect(found).toMatchObject({ code: 1, verdict: 'found' });
  });

  it('with --verbose has all of a finding', () => {
    const hole = [scenario('device-fault-hole'), '--walk', 'as-posted', '--findings', '1'];
    const [{ title, shrunk, ...rest }] = checkJson(...hole, '--verbose').findings;
    const some = [...KEYS.filter((key) => key !== 'title'), 'walk', 'report'];
    expect(Object.keys(rest)).toEqual(expect.arrayContaining(some));
    const program = file('shrunk.json', JSON.stringify(shrunk.program));
    const { code, findings } = checkJson(program, '--replay', shrunk.schedule);
    expect(code).toBe(1);
    expect(findings[0].title).toBe(title);
  });
});

describe('--replay', () => {
  it.each([
    ['a program', () => raceFile('race.json'), []],
    [
      'a program on another walk',
      () => scenario('device-fault-hole'),
      ['--walk', 'as-posted', '--findings', '1'],
    ],
    ['a program with the hardware', () => raceFile('race.json'), ['--hardware']],
    ['a scenario of a module', () => example('check-without-lock'), []],
  ])('comes to the same finding again: %s', (_, subject, options) => {
    const found = checkJson(subject(), ...options);
    expect(found.findings.length).toBeGreaterThan(0);
    for (const { title, schedule, invariant, preemptions } of found.findings) {
      const again = checkJson(subject(), '--replay', schedule);
      expectShape(again);
      expect(again).toMatchObject({ code: 1, verdict: 'found', coverage: { schedules: 1 } });
      expect(again.findings).toHaveLength(1);
      expect(again.findings[0]).toMatchObject({ title, schedule, invariant });
      // a program's finding is counted in the program as it was shrunk
      expect(again.findings[0].preemptions).toBeGreaterThanOrEqual(preemptions);
      const { code, out } = check(subject(), '--replay', schedule);
      expect(code).toBe(1);
      expect(out).toContain(title);
      expect(out).toContain(`--replay ${schedule}`);
    }
  });

  it('proves nothing where nothing breaks', () => {
    const [{ schedule }] = foundRace();
    const [, digest] = schedule.split('.');
    const other = sealedSchedule(digest, 'ba');
    const json = checkJson(raceFile('race.json'), '--replay', other);
    expectShape(json);
    expect(json).toMatchObject({ code: 0, verdict: 'nothing-found', findings: [] });
    expect(json.coverage.bounds).toEqual(['one schedule']);
  });

  it.each([
    ['a program', () => raceFile('race.json'), /^writer: op 0 {2}cpu_write [^\n]+\n +0 {2}writer /],
    ['a scenario of a module', () => example('check-without-lock'), /^ +0 {2}gpu /],
  ])('with --trace prints every step and what it changed: %s', (_, subject, begins) => {
    const [{ schedule }] = checkJson(subject()).findings;
    const plain = check(subject(), '--replay', schedule);
    const { code, out } = check(subject(), '--replay', schedule, '--trace');
    expect(code).toBe(1);
    expect(out).toMatch(begins);
    const total = /^ {2}tried:.*, (\d+) steps/m.exec(plain.out)?.[1];
    const [steps, verdict] = out.split(/\nfinding [^\n]+\n\n/);
    expect(verdict).toBe(plain.out);
    const numbers = [...steps.matchAll(/^ {0,5}(\d+) {2}\w/gm)].map(([, at]) => Number(at));
    expect(numbers).toEqual(Array.from({ length: Number(total) }, (_, at) => at));
    expect(steps).toMatch(/^ {10}[A-Z].* (→|is) /m);
  });

  it('with --trace and no file is for a reader', () => {
    for (const args of [[], ['--replay', 'x', '--json'], ['--replay', 'x', '--format', 'ktap']])
      expect(check(raceFile('race.json'), ...args, '--trace')).toMatchObject({ code: 2, out: '' });
  });

  it('refuses a schedule of what was something else', () => {
    const [{ schedule }] = foundRace();
    const write = { op: 'cpu_write', buf: 0, page: 0, pages: 1, tag: 3 };
    for (const changed of [
      raceFile('other-name.json', 'other'),
      raceFile('longer.json', 'reader', [write]),
      scenario('device-fault-munmap'),
    ]) {
      const { code, out, err } = check(changed, '--replay', schedule);
      expect({ code, out }).toEqual({ code: 2, out: '' });
      expect(err).toMatch(
        /^softleaf: --replay: the schedule is of another program or model \(.*\n$/,
      );
    }
  });

  it.each([
    ['mangled', /not a schedule/],
    ['2.DIGEST.a1?', /not a schedule/],
    ['1.DIGEST.a1', /a schedule of format 1; this Softleaf reads 2/],
    ['2.DIGEST.a1', /was cut or changed: it ends with no seal/],
    ['2.DIGEST.a1.abc', /was cut or changed: it ends with \.abc/],
    ['SEALED:a1!!', /cannot read the choices from "!"/],
    ['SEALED:c1', /no task c: there are 2/],
    ['SEALED:a0', /a run of no steps/],
    ['2.000000000.a', /of another program or model/],
  ])('refuses %s', (text, why) => {
    const [{ schedule }] = foundRace();
    const [, digest] = schedule.split('.');
    const [, choices] = text.split(':');
    const given = choices ? sealedSchedule(digest, choices) : text.replace('DIGEST', digest);
    const { code, out, err } = check(raceFile('race.json'), '--replay', given);
    expect({ code, out }).toEqual({ code: 2, out: '' });
    expect(err).toMatch(why);
    expect(err).toMatch(/^softleaf: --replay: [^\n]+\n$/);
  });

  it.each([
    ['no file', []],
    ['two files', [SOME_HUNDRED, scenario('device-fault-munmap')]],
  ])('wants one file: %s', (_, files) => {
    const { code, err } = check(...files, '--replay', '1.000000000.a');
    expect(code).toBe(2);
    expect(err).toContain('--replay: expected one file');
  });
});

describe('--resume', () => {
  const state = () => join(dir, 'run.json');
  beforeEach(() => rmSync(state(), { force: true }));
  /** All that does not hang on how a run was divided. */
  const told = ({ verdict, findings, coverage }: ReturnType<typeof checkJson>) => ({
    verdict,
    findings,
    coverage,
  });

  it.each(STRATEGIES)('goes on where --schedules ended, %s: the same as in one go', (strategy) => {
    const args = [SOME_HUNDRED, '--strategy', strategy];
    const whole = checkJson(...args, '--schedules', '180');
    const first = checkJson(...args, '--schedules', '50', '--resume', state());
    expect(first.coverage.schedules).toBe(50);
    const second = checkJson(...args, '--schedules', '120', '--resume', state());
    expect(second.coverage.schedules).toBe(120);
    const third = checkJson(...args, '--schedules', '180', '--resume', state());
    expect(told(third)).toEqual(told(whole));
  });

  it('comes to the end of an exhaustive search, and keeps no more then', () => {
    const whole = checkJson(SOME_HUNDRED, ...EXHAUSTIVE);
    expect(whole).toMatchObject({ verdict: 'proved', coverage: { complete: 1 } });
    checkJson(SOME_HUNDRED, '--schedules', '100', '--resume', state());
    expect(existsSync(state())).toBe(true);
    const rest = checkJson(SOME_HUNDRED, '--schedules', '100000', '--resume', state());
    expect(told(rest)).toEqual(told(whole));
    expect(existsSync(state())).toBe(false);
  });

  it('goes on where --time ended', () => {
    const long = [scenario('pin-against-migration'), '--time', '1', '--resume', state()];
    const [first, second] = [checkJson(...long), checkJson(...long)];
    expect(first).toMatchObject({ code: 0, verdict: 'nothing-found', coverage: { complete: 0 } });
    expect(first.coverage.bounds).toContain('1 second');
    expect(second.coverage.schedules).toBeGreaterThan(first.coverage.schedules);
    expect(second.coverage.states).toBeGreaterThanOrEqual(first.coverage.states);
    expect(existsSync(state())).toBe(true);
  });

  it('keeps how long nothing new has come behind a finding', () => {
    const hole = [scenario('device-fault-hole'), '--walk', 'as-posted', ...EXHAUSTIVE];
    const whole = checkJson(...hole, '--beyond', '5');
    expect(whole).toMatchObject({ code: 1, findings: [{}], coverage: { schedules: 6 } });
    const bounds = ['5 schedules without anything new behind a finding'];
    expect(whole.coverage).toMatchObject({ complete: 0, bounds });
    const first = checkJson(...hole, '--beyond', '5', '--schedules', '3', '--resume', state());
    expect(first.coverage).toMatchObject({ schedules: 3, bounds: ['3 schedules a search'] });
    const rest = checkJson(...hole, '--beyond', '5', '--resume', state());
    expect(told(rest)).toEqual(told(whole));
    // who wants to know more goes on from there
    const more = checkJson(...hole, '--beyond', '9', '--resume', state());
    expect(more.coverage.schedules).toBe(10);
  });

  it('counts no ends where every schedule breaks something', () => {
    const hole = [scenario('device-fault-hole'), '--walk', 'as-posted', '--schedules', '1'];
    const { out } = check(...hole);
    expect(out).toMatch(/tried: {3}1 schedule of 1 scenario, \d+ steps\n/);
  });

  it('reports what was found before', () => {
    const subject = raceFile('race.json');
    const whole = checkJson(subject, ...EXHAUSTIVE);
    const first = checkJson(subject, '--schedules', '1', '--resume', state());
    expect(first.coverage.schedules).toBe(1);
    const rest = checkJson(subject, '--schedules', '2', '--resume', state());
    expect(rest).toMatchObject({ code: 1, findings: whole.findings });
    expect(rest.coverage).toMatchObject({ schedules: 2, steps: whole.coverage.steps });
  });

  it('keeps what a signal interrupts, and says so', async () => {
    // a long search that says when it is under way, by a file
    const begun = join(dir, 'begun');
    const long = moduleFile(
      'long.mjs',
      `import { readFileSync, writeFileSync } from 'node:fs';
       import { isMainThread } from 'node:worker_threads';
       import { programScenario } from '${join(root, 'dist/checker/index.js')}';
       import { parseConcurrentProgram } from '${join(root, 'dist/program/index.js')}';
       const text = readFileSync('${scenario('two-devices-overlap')}', 'utf8');
       const scenario = programScenario(parseConcurrentProgram(JSON.parse(text)));
       const check = (state) => {
         if (!isMainThread) writeFileSync('${begun}', '');
         return scenario.check(state);
       };
       export default { ...scenario, check };`,
    );
    const slow = [long, ...EXHAUSTIVE, '--resume', state()];
    const child = spawn(process.execPath, [executable, 'check', ...slow, '--json'], { cwd: dir });
    let out = '';
    child.stdout.on('data', (part) => {
      out += part;
    });
    const ended = new Promise((done) => child.on('close', done));
    while (!existsSync(begun) && child.exitCode === null) await setTimeout(20);
    child.kill('SIGINT');
    const code = await ended;
    const first = JSON.parse(out);
    expectShape(first);
    expect(first).toMatchObject({
      verdict: 'nothing-found',
      findings: [],
      coverage: { complete: 0, bounds: ['interrupted'] },
    });
    expect(code).toBe(130);
    const more = ['--schedules', String(first.coverage.schedules + 10)];
    const second = checkJson(...slow, ...more);
    expect(second.coverage.schedules).toBe(first.coverage.schedules + 10);
    expect(second).toMatchObject({ code: 0, verdict: 'nothing-found' });
  });

  it('refuses a run of another command, or of what has changed since', () => {
    const subject = raceFile('changing.json');
    checkJson(subject, '--schedules', '1', '--resume', state());
    for (const other of [
      [SOME_HUNDRED],
      [subject, SOME_HUNDRED],
      [subject, '--walk', 'collect'],
      [subject, '--strategy', 'pct'],
      [subject, '--faults', '1'],
      [subject, '--hardware'],
    ]) {
      const { code, out, err } = check(...EXHAUSTIVE, ...other, '--resume', state());
      expect({ code, out }).toEqual({ code: 2, out: '' });
      expect(err).toContain(`${state()}: keeps another run than this one`);
    }
    raceFile('changing.json', 'other');
    const { code, err } = check(subject, ...EXHAUSTIVE, '--resume', state());
    expect(code).toBe(2);
    expect(err).toContain(`${state()}: "race" of ${subject}, or the model, has changed since`);
  });

  it.each([
    ['no JSON', 'run', /expected a run that --resume has kept/],
    ['something else', '{"name":"race"}', /expected a run that --resume has kept/],
    ['another format', '{"softleaf":"check","format":9,"jobs":[]}', /format 9; this .* reads 7/],
  ])('refuses a file that is %s', (_, text, why) => {
    writeFileSync(state(), text);
    const { code, err } = check(SOME_HUNDRED, '--resume', state());
    expect(code).toBe(2);
    expect(err).toMatch(why);
    expect(err).toContain(state());
  });
});

describe('what is printed at the end', () => {
  const lines = (...args: string[]) => check(...args).out.split('\n');

  it('is the verdict and three lines; with --coverage everything', () => {
    const told = lines(scenario('device-fault-munmap'));
    expect(told).toEqual([
      'proved: nothing breaks in any schedule of these tasks, on this model',
      expect.stringMatching(
        /^ {2}tried: {3}\d+ schedules of 1 scenario, \d+ steps; they end in 3 d/,
      ),
      `  bounds:  none, every schedule was tried; assumed: ${ASSUMES.join(', ')}`,
      expect.stringMatching(
        /^ {2}reached: \d+ of \d+ functions .*, \d+ of \d+ branches \(--coverage/,
      ),
      '',
    ]);
    const all = lines(scenario('device-fault-munmap'), '--coverage');
    expect(all.slice(-5).map((line) => line.replace(/\d+ schedules of .*/, ''))).toEqual(
      told.map((line) => line.replace(/\d+ schedules of .*/, '')),
    );
    expect(all).toContain('functions that never ran');
    expect(all).toContain('kinds of entries that operations met');
    expect(all).toContainEqual(
      expect.stringMatching(/^\d+ pairs of steps of two tasks on one object/),
    );
  });

  it('is another word where not everything was tried', () => {
    const [verdict, , bounds] = lines(SOME_HUNDRED, '--schedules', '20');
    expect(verdict).toBe('nothing found, which is no proof: not every schedule was tried');
    expect(bounds).toContain('  bounds:  20 schedules a search; assumed: no allocation fails');
    const [both] = lines(SOME_HUNDRED, scenario('device-fault-munmap'), '--schedules', '20');
    expect(both).toBe(`${verdict}; 1 of 2 are proved`);
  });
});

describe('without an option that says how to search', () => {
  /** The searches in their order, from what `--verbose` prints of each. */
  const searches = (...args: string[]) =>
    [
      ...check(...args, '--verbose', '--workers', '1').out.matchAll(
        /^[a-z ]+: [^,]+, \w+, (\w+): /gm,
      ),
    ].map(([, strategy]) => strategy);

  it('goes first here and there, and by turns, then with few preemptions, then through every order', () => {
    const suite = ['pct', 'turns', 'exhaustive', 'exhaustive'];
    expect(searches(scenario('device-fault-munmap'))).toEqual(suite);
  });

  it('does the same with --time, which they share', async () => {
    const jobs = await jobsOf(
      [scenario('device-fault-munmap')],
      { time: 10, workers: 1 },
      // of modules alone
      undefined as never,
      { advise: () => {}, mistaken: () => {} },
    );
    const plans = jobs.map(({ plan: { strategy, time } }) => [strategy, time]);
    expect(plans).toEqual([
      ['pct', 2000],
      ['turns', 1000],
      ['exhaustive', 2000],
      ['exhaustive', 5000],
    ]);
  });

  it('reports once what several searches come to, and ends where that is enough', () => {
    const subject = raceFile('race.json');
    expect(checkJson(subject).findings).toHaveLength(1);
    expect(searches(subject, '--findings', '1')).toEqual(['pct']);
  });
});

describe('--report', () => {
  it('is a page that needs nothing else, with the columns', () => {
    const page = join(dir, 'page.html');
    const subject = example('check-without-lock');
    const { code, out } = check(subject, '--report', page);
    expect(code).toBe(1);
    const html = readFileSync(page, 'utf8');
    expect(html).toMatch(/^<!doctype html>/);
    expect(html).not.toMatch(/\b(src|href)\s*=|https?:|url\(|@import|<(script|link|img|iframe)\b/i);
    expect(html).toContain('<th scope="col">gpu</th><th scope="col">cpu</th>');
    const [title] = out.split('\n');
    expect(html).toContain(`<h2>${title}</h2>`);
    // every step of the text is a row, in the column of its task
    const steps = [...out.matchAll(/^ +(\d+) {2}( *)/gm)];
    expect(steps.length).toBeGreaterThan(5);
    for (const [, number, space] of steps) {
      const row = html.split('\n').find((line) => line.includes(`<td class="n">${number}</td>`));
      expect(row).toMatch(
        space === '' ? /n">\d+<\/td><td><code>\w/ : /n">\d+<\/td><td><\/td><td><code>\w/,
      );
    }
    const replay = /--replay (\S+)/.exec(out)?.[1] ?? '';
    expect(html).toContain(`--replay ${replay}`);
    expect(html).toContain('mapPage &lt; faultCheckedWithoutLock');
  });

  it('says what was proved', () => {
    const page = join(dir, 'proved.html');
    expect(check(scenario('device-fault-munmap'), '--report', page).code).toBe(0);
    expect(readFileSync(page, 'utf8')).toContain('<pre>proved: nothing breaks in any schedule');
  });

  it('is also made of a replay', () => {
    const page = join(dir, 'replay.html');
    const [{ schedule, title }] = foundRace();
    expect(check(raceFile('race.json'), '--replay', schedule, '--report', page).code).toBe(1);
    expect(readFileSync(page, 'utf8')).toContain(`<h2>${title}</h2>`);
  });
});

describe('--workers', () => {
  it('changes nothing but the time', () => {
    const files = [
      raceFile('race.json'),
      scenario('device-fault-munmap'),
      example('check-without-lock'),
    ];
    const [one, two, five] = ['1', '2', '5'].map((n) => checkJson(...files, '--workers', n));
    expect(one.findings).toHaveLength(3);
    expect(two).toEqual(one);
    expect(five).toEqual(one);
  });
});

describe('folders', () => {
  it('stand for the programs and modules in them', () => {
    const folder = join(dir, 'folder');
    mkdirSync(join(folder, 'deeper'), { recursive: true });
    writeFileSync(join(folder, 'race.json'), JSON.stringify(race()));
    writeFileSync(
      join(folder, 'own.mjs'),
      `export { default } from '${example('check-under-lock')}';`,
    );
    writeFileSync(join(folder, 'README.md'), '# not a program');
    writeFileSync(join(folder, 'deeper', 'bad.json'), 'not a program');
    const { code, findings, coverage } = checkJson(folder);
    expect(code).toBe(1);
    expect(findings).toHaveLength(1);
    expect(coverage).toMatchObject({ scenarios: 2, cases: 2, complete: 2 });
  });

  it('are refused where there is nothing to check', () => {
    mkdirSync(join(dir, 'empty'));
    const { code, out, err } = check(join(dir, 'empty'));
    expect({ code, out }).toEqual({ code: 2, out: '' });
    expect(err).toContain(
      `${join(dir, 'empty')}: no program (.json) and no module (.js, .mjs, .ts)`,
    );
  });
});

describe('a module with scenarios', () => {
  it('shows what retries wrongly, and proves the mended one', () => {
    const wrong = checkJson(example('check-without-lock'), ...EXHAUSTIVE);
    expectShape(wrong);
    expect(wrong).toMatchObject({ code: 1, verdict: 'found', coverage: { complete: 1 } });
    expect(wrong.findings.map(({ title }: { title: string }) => title)).toEqual([
      'a device maps a page where the process has none in mapPage',
      'a device maps a page that is being invalidated in mapPage',
    ]);
    expect(wrong.findings[0]).toMatchObject({
      title: 'a device maps a page where the process has none in mapPage',
      invariant: 'device page table',
      function: 'mapPage',
      preemptions: 1,
    });
    const right = checkJson(example('check-under-lock'));
    expect(right).toMatchObject({ code: 0, verdict: 'proved', coverage: { complete: 1 } });
    expect(right.coverage.states).toBe(2);
  });

  it('may have a list of them, each searched by whichever worker', () => {
    const list = moduleFile(
      'list.mjs',
      `import one from '${example('check-without-lock')}';
       import two from '${example('check-under-lock')}';
       export default [one, two];`,
    );
    const { code, findings, coverage } = checkJson(list, '--workers', '2');
    expect(code).toBe(1);
    expect(coverage).toMatchObject({ scenarios: 2, cases: 2, complete: 2 });
    const [{ scenario: name, schedule, title }] = findings;
    expect(name).toBe('a GPU that checks without its lock');
    expect(checkJson(list, '--replay', schedule).findings[0].title).toBe(title);
    // and a schedule is of one of them
    expect(check(example('check-under-lock'), '--replay', schedule).code).toBe(2);
  });

  it('may have several: the text says which are proved, and --only takes one', () => {
    const list = moduleFile(
      'several.mjs',
      `import one from '${example('check-without-lock')}';
       import two from '${example('check-under-lock')}';
       export default [one, two];`,
    );
    const [wrong, right] = [
      'a GPU that checks without its lock',
      'a GPU that checks under its lock',
    ];
    const { code, out } = check(list, ...EXHAUSTIVE);
    expect(code).toBe(1);
    expect(out).toContain(
      `found: 2 findings\n  proved:  "${right}"\n  not:     "${wrong}"\n  tried:`,
    );
    const alone = check(list, ...EXHAUSTIVE, '--only', right);
    expect(alone.code).toBe(0);
    expect(alone.out).toMatch(/^proved: .*\n {2}tried: /);
    const none = check(list, '--only', 'a GPU that checks under its look');
    expect({ code: none.code, out: none.out }).toEqual({ code: 2, out: '' });
    expect(none.err).toBe(
      `softleaf: --only: no scenario is called "a GPU that checks under its look"; did you mean "${right}"?\n`,
    );
  });

  it('may lie anywhere: what it and its helpers import as softleaf is the package that checks it', () => {
    const lib = moduleFile(
      'gpu.mjs',
      readFileSync(join(root, 'examples/scenarios/lib/gpu.mjs'), 'utf8'),
    );
    const text = readFileSync(example('check-without-lock'), 'utf8');
    const path = moduleFile('elsewhere.mjs', text.replace("'./lib/gpu.mjs'", `'${lib}'`));
    // no package is found from there
    expect(() => createRequire(path).resolve('softleaf')).toThrow('softleaf');
    const { code, findings } = checkJson(path, ...EXHAUSTIVE, '--workers', '2');
    expect(code).toBe(1);
    expect(findings[0].title).toBe('a device maps a page where the process has none in mapPage');
  });

  it('can go on with --resume', () => {
    const state = join(dir, 'module.json');
    const whole = checkJson(example('check-under-lock'), ...EXHAUSTIVE);
    checkJson(example('check-under-lock'), '--schedules', '5', '--resume', state);
    const rest = checkJson(example('check-under-lock'), '--schedules', '99', '--resume', state);
    expect(rest).toEqual(whole);
  });

  const SCENARIO = "import good from 'EXAMPLE';\n";
  it.each([
    [
      'nothing',
      'export const a = 1;',
      'expected a default export, a scenario or a list of them; it exports a',
    ],
    [
      'a number',
      'export default 7;',
      'default export: expected a scenario { name, setup, kernel, tasks }, got 7',
    ],
    ['an empty list', 'export default [];', 'got an empty list'],
    [
      'no name',
      `${SCENARIO}export default { ...good, name: '' };`,
      'default export.name: expected a name, got ""',
    ],
    [
      'no setup',
      `${SCENARIO}export default [{ ...good, setup: 1 }];`,
      'default export[0].setup: expected a function, got 1',
    ],
    [
      'no tasks',
      `${SCENARIO}export default { ...good, tasks: {} };`,
      'default export.tasks: expected 1 to 16 tasks, got 0',
    ],
    [
      'a task that is none',
      `${SCENARIO}export default { ...good, tasks: { a: 'x' } };`,
      'default export.tasks.a: expected a generator function, got "x"',
    ],
    [
      'a task that is no generator',
      `${SCENARIO}export default { ...good, tasks: { a() { return 1; } } };`,
      'default export.tasks.a: expected a generator function (function*), got 1',
    ],
    [
      'a check that is no function',
      `${SCENARIO}export default { ...good, check: [] };`,
      'default export.check: expected a function or nothing, got an array of 0',
    ],
    [
      'a setup that fails',
      `${SCENARIO}export default { ...good, setup() { throw new Error('no memory'); } };`,
      'default export.setup() fails: no memory',
    ],
    [
      'a setup without a state',
      `${SCENARIO}export default { ...good, setup() {} };`,
      'default export.setup(): expected the state that the tasks share, got nothing',
    ],
    [
      'no kernel',
      `${SCENARIO}export default { ...good, kernel: () => ({}) };`,
      "default export.kernel(): expected the state's Kernel, got an object",
    ],
    [
      'another Kernel',
      `${SCENARIO}class Kernel {}\nexport default { ...good, kernel: () => new Kernel() };`,
      'made by another copy of Softleaf',
    ],
    ['a syntax error', 'export default {\n  name: "x" tasks\n};', /line 2: Unexpected identifier/],
    ['an error', 'throw new Error("on its own");', 'on its own'],
    ['an import that is not there', "import 'softleaf/nothing';", /cannot load .*softleaf/],
  ])('is refused, with its name and what was expected: %s', (_, text, why) => {
    const path = moduleFile('bad.mjs', text.replace('EXAMPLE', example('check-under-lock')));
    const { code, out, err } = check(path);
    expect({ code, out }).toEqual({ code: 2, out: '' });
    expect(err).toMatch(why);
    expect(err).toContain(path);
    expect(err).toMatch(/^softleaf: [^\n]+\n$/);
  });

  it('with two scenarios of one name: the first one is searched', () => {
    const path = moduleFile(
      'twice.mjs',
      `import good from '${example('check-under-lock')}';\nexport default [good, good];`,
    );
    const { code, out, err } = check(path);
    expect(code).toBe(2);
    expect(err).toContain('default export[1].name: two scenarios are called "a GPU that');
    expect(out).toMatch(/^nothing found, which is no proof: .*\n.*\n +bounds: +bad input;/);
  });

  it('is told where it leaves something to chance', () => {
    const path = moduleFile(
      'chance.mjs',
      `import good from '${example('check-without-lock')}';
       let n = 0;
       export default {
         ...good,
         check: () => (n++ === 0 ? [{ invariant: 'x', title: 'only once', where: 'here' }] : []),
       };`,
    );
    const { code, out, err } = check(path, '--preemptions', '2', '--findings', '2');
    expect(code).toBe(2);
    expect(err).toContain(`${path}: "a GPU that checks without its lock"`);
    expect(err).toContain('does not give the same twice (only once');
    // what it has found is told all the same
    expect(out).toMatch(/^only once in here$/m);
    expect(out).toMatch(/^a device maps a page where the process has none/m);
  });

  it('may be TypeScript where Node runs that, and is refused clearly where not', () => {
    const path = moduleFile(
      'typed.ts',
      `import type { Scenario } from '${join(root, 'dist/checker/index.js')}';
       import good from '${example('check-under-lock')}';
       export default good as Scenario;`,
    );
    const { code, out, err } = check(path);
    if ((process.features as { typescript?: string | false }).typescript) {
      expect({ code, err }).toEqual({ code: 0, err: expect.not.stringContaining('softleaf:') });
      expect(out).toMatch(/^proved: /);
    } else {
      expect({ code, out }).toEqual({ code: 2, out: '' });
      expect(err).toContain(`cannot load ${path}`);
      expect(err).toMatch(
        /Node [\d.]+ does not run TypeScript: compile it to .mjs, or use Node 22.18/,
      );
    }
  });
});

describe('standard input', () => {
  it('may be a program', () => {
    const { status, stdout } = spawnSync(process.execPath, [executable, 'check', '-', '--json'], {
      input: JSON.stringify(race()),
      encoding: 'utf8',
    });
    expect(status).toBe(1);
    expect(JSON.parse(stdout).findings[0].title).toBe(raceTitle);
  });
});

describe('bad input exits 2 and names what is wrong', () => {
  it.each([
    ['--walk', 'fast', 'collect, unified, as-posted'],
    ['--strategy', 'best', 'exhaustive, pct, uniform, random, turns'],
    ['--seed', '-1', 'whole number from 0'],
    ['--time', '0', 'whole number from 1'],
    ['--schedules', '1.5', 'whole number from 1'],
    ['--preemptions', 'x', 'whole number from 0'],
    ['--faults', '', 'whole number from 0'],
    ['--findings', '0', 'whole number from 1'],
    ['--workers', '0', 'whole number from 1'],
  ])('%s %s', (flag, value, expected) => {
    const { code, out, err } = check(SOME_HUNDRED, flag, value);
    expect({ code, out }).toEqual({ code: 2, out: '' });
    expect(err).toContain(flag);
    expect(err).toContain(expected);
  });

  it.each([['--fast'], ['--replay'], ['--report'], ['--resume']])('%s alone', (flag) => {
    const { code, out, err } = check(SOME_HUNDRED, flag);
    expect({ code, out }).toEqual({ code: 2, out: '' });
    expect(err).toContain(flag);
  });

  it.each(['--report', '--resume'])('%s where nothing can be written', (flag) => {
    for (const path of [join(dir, 'no', 'such', 'folder'), dir]) {
      const { code, out, err } = check(SOME_HUNDRED, flag, path);
      expect({ code, out }).toEqual({ code: 2, out: '' });
      expect(err).toContain(`${flag} ${path}: cannot be written`);
    }
  });

  it('--replay with --resume', () => {
    const { code, err } = check(SOME_HUNDRED, '--replay', '1.000000000.a', '--resume', 'x.json');
    expect(code).toBe(2);
    expect(err).toContain('--replay and --resume');
  });

  it.each([
    ['a missing file', 'nothing.json', /cannot read nothing\.json: ENOENT/],
    ['a missing module', 'nothing.mjs', /cannot load nothing\.mjs: Cannot find module/],
  ])('%s', (_, path, why) => {
    const { code, out, err } = check(path);
    expect({ code, out }).toEqual({ code: 2, out: '' });
    expect(err).toMatch(why);
  });

  it.each([
    [
      'a program without tasks',
      '{"name":"x","ops":[{"op":"release","dev":0}]}',
      /bad\.json: "x" has no tasks, whose order could be tried: softleaf run \S+bad\.json runs it\n/,
    ],
    ['no JSON', '{', /bad\.json:1:2: .*JSON/],
    [
      'a mistake in a program',
      '{"name":"x","setup":[],"tasks":{"a":[{"op":"fork","child":0}]}}',
      /bad\.json:1:59: program "x".*\(fork\), field "child"/,
    ],
  ])('%s', (_, text, why) => {
    const { code, out, err } = check(file('bad.json', text));
    expect({ code, out }).toEqual({ code: 2, out: '' });
    expect(err).toMatch(why);
  });
});
