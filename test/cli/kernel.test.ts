/** `softleaf kernel` without a kernel: the agent on the machine that runs this, and what is refused. */
import { spawn, spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { CONFIG } from '../../src/kernel/config.ts';
import { executable, softleaf } from '../support/cli.ts';

let dir: string;
/** A file that looks like a kernel. */
let image: string;
/** In the place of QEMU: says something and ends. */
let broken: string;
/** In the place of an agent: answers every program with what it returned on no machine. */
let other: string;

const PROGRAM = {
  name: 'one page',
  ops: [
    { op: 'mmap', buf: 0, page: 0, pages: 1, prot: 'rw', kind: 'anon' },
    { op: 'cpu_write', buf: 0, page: 0, pages: 1, tag: 1 },
  ],
};
const RESULTS = [{ ret: 'ok' }, { ret: 'ok', done: 1 }];

const HELLO =
  '{"hello":"softleaf-agent","protocol":1,"kernel":"6.1-other","version":"#1","machine":"x86_64","cpus":1,"devices":0,"has":[],"thp":"madvise"}';

/** A script that does as an agent would: it says hello, then a line for each line. */
function script(name: string, answer: string): string {
  const file = join(dir, name);
  const text = `#!/bin/sh\necho '${HELLO}'\nwhile read -r line; do\n${answer}\ndone\n`;
  writeFileSync(file, text, { mode: 0o755 });
  return file;
}
const file = (name: string, text: string): string => {
  const path = join(dir, name);
  writeFileSync(path, text);
  return path;
};
const run = (...args: string[]) => softleaf(['kernel', ...args], dir);

beforeAll(() => {
  dir = mkdtempSync(join(tmpdir(), 'softleaf-kernel-'));
  const head = Buffer.alloc(1024);
  head.write('HdrS', 0x202, 'latin1');
  image = join(dir, 'bzImage');
  writeFileSync(image, head);
  broken = file('broken', '#!/bin/sh\necho "no such machine" >&2; exit 3\n');
  spawnSync('chmod', ['+x', broken]);
  other = script(
    'other',
    `  case $line in
    *sleeps*) echo '{"name":"x","results":[],"hung":0}' ;;
    *skipped*) echo '{"name":"x","skipped":"this kernel has no test_hmm"}' ;;
    *warns*) echo '{"name":"x","results":[{"ret":"ok"},{"ret":"ok","done":1}],"kernel":{"op":1,"lines":["WARNING: x at f+0x1/0x2"," g+0x1/0x2"]}}' ;;
    *dies*) exit 1 ;;
    *same*) echo '{"name":"x","results":[{"ret":"ok"},{"ret":"ok","done":1}]}' ;;
    *) echo '{"name":"x","results":[{"ret":"ok"},{"ret":"SEGV","done":0}]}' ;;
  esac`,
  );
  const names = ['one page', 'another', 'sleeps', 'skipped', 'warns', 'dies', 'same'];
  const lines = names.map((name) => JSON.stringify({ ...PROGRAM, name, results: RESULTS }));
  file('all.jsonl', `${lines.join('\n')}\n`);
  file('same.jsonl', `${lines[6]}\n`);
  file('skipped.jsonl', `${lines[3]}\n`);
  file('plain.json', JSON.stringify(PROGRAM));
  file('small.json', JSON.stringify({ ...PROGRAM, machine: { pmdOrder: 2 } }));
});
afterAll(() => rmSync(dir, { recursive: true, force: true }));

describe('conform', () => {
  it('groups what differs, and says what stopped, what was reported and what was not run', () => {
    const { code, out, err } = run('conform', '--command', other, 'all.jsonl');
    expect({ code, err }).toEqual({ code: 1, err: '' });
    expect(out).toBe(`Linux 6.1-other, 1 CPU, by ${other}; without test_hmm, gup_test, userfaultfd

7 programs: 2 as on 7.3.4, 2 differ, 2 did not end, 1 not run

differs cpu_write, ret: "ok" is "SEGV" here (2 programs)
  for example one page, op 1: cpu_write buf 0 page 0 pages 1 tag 1 proc 0
    7.3.4  ok  done 1
    here   SEGV  done 0

stopped in mmap: it took too long (1 program)
  for example sleeps, op 0: mmap buf 0 page 0 pages 1 prot rw kind anon proc 0

stopped: it ended (1 program)
  for example dies

the kernel reported: WARNING: x at f
  g
  in 1 program
  for example warns, op 1: cpu_write buf 0 page 0 pages 1 tag 1 proc 0

not run: this kernel has no test_hmm (1 program)
`);
  });

  it('the same as JSON, and what was recorded', () => {
    const { code, out } = run(
      'conform',
      '--command',
      other,
      'all.jsonl',
      '--json',
      '--record',
      'rec.jsonl',
    );
    expect(code).toBe(1);
    const report = JSON.parse(out);
    expect(report).toMatchObject({ kernels: ['6.1-other'], same: 2, differing: 2 });
    expect(report.differences).toMatchObject([
      {
        op: 'cpu_write',
        field: 'ret',
        expected: 'ok',
        actual: 'SEGV',
        count: 2,
        example: { program: 'one page', op: 1 },
      },
    ]);
    expect(report.stopped).toHaveLength(2);
    expect(report.reports).toMatchObject([{ title: 'WARNING: x at f', frames: ['g'], count: 1 }]);
    expect(report.notRun).toMatchObject([{ why: 'this kernel has no test_hmm', count: 1 }]);
    const recorded = readFileSync(join(dir, 'rec.jsonl'), 'utf8').trim().split('\n');
    expect(recorded.map((line) => JSON.parse(line).name)).toEqual([
      'one page',
      'another',
      'warns',
      'same',
    ]);
    // what a kernel returned agrees with what it returned
    expect(run('conform', '--command', other, 'rec.jsonl').code).toBe(1);
    expect(run('conform', '--command', other, 'rec.jsonl', '--only', 'another').code).toBe(0);
  });

  it('exits with 0 where all is the same, with 2 where nothing could be run', () => {
    expect(run('conform', '--command', other, 'same.jsonl')).toMatchObject({ code: 0, err: '' });
    const none = run('conform', '--command', other, 'skipped.jsonl');
    expect(none).toMatchObject({ code: 2, err: 'softleaf: this kernel can run none of them\n' });
    expect(
      run('conform', '--command', other, 'small.json', '--against', image, '--qemu', broken).code,
    ).toBe(2);
  });

  it('starts no more kernels than --crashes allows', () => {
    file(
      'dies.jsonl',
      `${Array(4)
        .fill(JSON.stringify({ ...PROGRAM, name: 'dies', results: RESULTS }))
        .join('\n')}\n`,
    );
    const { code, out } = run('conform', '--command', other, 'dies.jsonl', '--crashes', '1');
    expect(code).toBe(1);
    expect(out).toContain('2 did not end, 2 not run');
  });
});

describe('ask', () => {
  it('prints results as run does', () => {
    const { code, out } = run('ask', '--command', other, 'same.jsonl');
    expect(code).toBe(0);
    expect(out).toContain(`same

   0  mmap buf 0 page 0 pages 1 prot rw kind anon proc 0  ok
   1  cpu_write buf 0 page 0 pages 1 tag 1 proc 0         ok  done 1

as recorded
`);
    const differs = run('ask', '--command', other, 'all.jsonl', '--only', 'another');
    expect(differs.code).toBe(1);
    expect(differs.out).toContain(
      'differs from the recording at op 1\n  recorded  ok  done 1\n  run       SEGV  done 0\n',
    );
    expect(run('ask', '--command', other, 'plain.json')).toMatchObject({ code: 0 });
  });

  it('a line of JSON for each program', () => {
    const { code, out } = run('ask', '--command', other, 'all.jsonl', '--json');
    expect(code).toBe(1);
    const lines = out
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line));
    expect(lines.map(({ name }) => name)).toEqual([
      'one page',
      'another',
      'sleeps',
      'skipped',
      'warns',
      'dies',
      'same',
    ]);
    expect(lines[2].stopped).toEqual({ how: 'it took too long', op: 0 });
    expect(lines[3].skipped).toBe('this kernel has no test_hmm');
    expect(lines[4].reports).toEqual([{ title: 'WARNING: x at f', frames: ['g'], op: 1 }]);
  });
});

describe('config and check-config', () => {
  it('a fragment lacks nothing of what it asks for', () => {
    const { code, out } = run('config');
    expect(code).toBe(0);
    file('all.config', out);
    expect(run('check-config', 'all.config')).toMatchObject({
      code: 0,
      out: 'nothing is missing\n',
    });
    file('module.config', out.replace('CONFIG_TEST_HMM=y', 'CONFIG_TEST_HMM=m'));
    expect(run('check-config', 'module.config').code).toBe(0);
  });

  it('each option that is missing is named with what is left out', () => {
    for (const { name, without } of CONFIG) {
      const lines = CONFIG.map((one) =>
        one.name === name ? `# CONFIG_${name} is not set` : `CONFIG_${one.name}=y`,
      );
      const { code, out } = run('check-config', file('one.config', lines.join('\n')));
      expect(code).toBe(1);
      expect(out).toBe(`CONFIG_${name}  ${without}\n`);
    }
    const modules = CONFIG.map(({ name }) => `CONFIG_${name}=m`).join('\n');
    const { out } = run('check-config', file('modules.config', modules), '--json');
    expect(JSON.parse(out)).toHaveLength(CONFIG.length - 1);
  });
});

describe('what is refused', () => {
  const refused: [args: string[], message: string][] = [
    [['ask'], 'ask: no kernel (a bzImage, the folder in which it was built, or --command)'],
    [['conform'], 'conform: no kernel'],
    [['ask', 'bzImage'], 'ask: no programs'],
    [['ask', 'no-such', 'plain.json'], 'cannot read no-such: ENOENT'],
    [['ask', 'plain.json', 'plain.json'], 'plain.json: this is no bzImage of x86'],
    [['ask', 'empty', 'plain.json'], 'empty: no kernel was built here (no arch/x86/boot/bzImage)'],
    [['ask', 'bzImage', 'no-such.json'], 'cannot read no-such.json'],
    [['ask', 'bzImage', 'bad.json'], 'bad.json:1:'],
    [
      ['ask', 'bzImage', 'plain.json', '--only', 'one pag'],
      'no program is called one pag; did you mean',
    ],
    [['ask', 'bzImage', 'plain.json', '--module', 'no-such.ko'], 'cannot read no-such.ko'],
    [['ask', 'bzImage', 'plain.json', '--agent', 'no-such'], '--agent: ENOENT'],
    [['ask', 'bzImage', 'plain.json', '--agent', 'plain.json'], '--agent: EACCES'],
    [['ask', 'bzImage', 'plain.json', '--against', 'bzImage'], '--against goes with conform'],
    [
      ['conform', 'bzImage', 'plain.json'],
      'one page: there are no recorded results to compare with',
    ],
    [
      ['conform', 'bzImage', '--agent', 'bzImage', '--only', 'no-such-program'],
      'no program is called no-such-program',
    ],
    [['config', 'bzImage'], 'config takes no files'],
    [['agent', 'bzImage'], 'agent takes no files'],
    [['check-config'], 'check-config: expected one file'],
    [['check-config', 'plain.json'], 'plain.json: there is no option of a kernel in it'],
    [
      ['ask', '--command', 'echo hello', 'plain.json'],
      'no agent answers to "echo hello": it ended',
    ],
    [['ask', '--command', 'exit 7', 'plain.json'], 'no agent answers to "exit 7"'],
    [
      ['ask', '--command', 'sleep 60', 'plain.json', '--boot-timeout', '1'],
      'the agent did not come up within 1 seconds',
    ],
    [['askk'], "error: command-argument value 'askk' is invalid"],
  ];
  beforeAll(() => {
    mkdirSync(join(dir, 'empty'));
    file('bad.json', '{"name": "x", "ops": [{"op": "mapp"}]}');
  });

  it.each(refused)('%j', (args, message) => {
    const { code, out, err } = run(...args);
    expect({ code, out }).toEqual({ code: 2, out: '' });
    expect(err).toContain(message);
  });

  it('a kernel that does not come up, with what was said', () => {
    const args = ['ask', image, 'plain.json', '--agent', broken, '--qemu'];
    const silent = run(...args, broken);
    expect(silent).toMatchObject({ code: 2, out: '' });
    expect(silent.err).toContain(`${image}: QEMU ended with 3 no such machine`);
    expect(run(...args, 'no-such-qemu').err).toContain(
      'no-such-qemu is not there: it comes with the package',
    );
  });

  it('a record that cannot be written', () => {
    const { code, err } = run('ask', '--command', other, 'plain.json', '--record', 'no/such/file');
    expect(code).toBe(74);
    expect(err).toContain('cannot write no/such/file');
  });
});

describe('a command and all that it started', () => {
  const isThere = (text: string) => {
    const { stdout } = spawnSync('ps', ['-eo', 'args'], { encoding: 'utf8' });
    return stdout.split('\n').some((line) => line.trim() === text);
  };

  it('is gone when it is over', () => {
    // in a shell what runs beside it has no standard input
    const command = `exec 3<&0; ${other} <&3 & sleep 98761`;
    const args = [executable, 'kernel', 'ask', '--command', command, join(dir, 'plain.json')];
    const { status } = spawnSync(process.execPath, args, { timeout: 60_000 });
    expect(status).toBe(0);
    expect(isThere('sleep 98761')).toBe(false);
  });

  it('is gone when we are interrupted', async () => {
    const silent = `echo '${HELLO}'; sleep 98762`;
    const args = [executable, 'kernel', 'ask', '--command', silent, join(dir, 'plain.json')];
    const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] });
    const ended = new Promise<number | null>((done) => child.once('close', done));
    // it has begun when it says which kernel it is
    await new Promise((begun) => child.stdout.once('data', begun));
    expect(isThere('sleep 98762')).toBe(true);
    child.kill('SIGINT');
    expect(await ended).toBe(130);
    expect(isThere('sleep 98762')).toBe(false);
  });
});

describe('fuzz', () => {
  // it refuses every mapping, and what is refused is found, made small and kept
  const refuses = () => script('refuses', `  echo '{"name":"x","results":[{"ret":"EPERM"}]}'`);
  const out = () => join(dir, 'fuzzed');
  const fuzz = (...args: string[]) => {
    const own = args.includes('--profile') ? [] : ['--profile', 'base'];
    const seed = args.includes('--seed') ? [] : ['--seed', '5'];
    return run('fuzz', '--command', refuses(), '--programs', '32', ...own, ...seed, ...args);
  };

  it('tells the fewest operations that show a difference, and keeps them as a corpus', () => {
    const { code, out: said, err } = fuzz('--out', out());
    expect(err).toBe('');
    expect(code).toBe(1);
    expect(said).toContain(
      'seed 5, base\n\ndiffers mmap, ret (1 program, the first is base-5-0)\n',
    );
    expect(said).toContain('      the kernel  EPERM ("ok" is "EPERM" there)\n');
    expect(said).toMatch(/\n32 programs in [\d.]+ minutes \(\d+ a minute\), 1 kind of differences/);
    const [line, ...more] = readFileSync(join(out(), 'differences.jsonl'), 'utf8')
      .trim()
      .split('\n');
    expect(more).toEqual([]);
    expect(JSON.parse(line)).toMatchObject({
      name: 'base-5-0-small',
      comment: 'mmap, ret: the model has "ok", the kernel "EPERM"; from base-5-0',
      ops: [{ op: 'mmap', pages: 1 }],
      results: [{ ret: 'EPERM' }],
    });
    expect(readFileSync(join(out(), 'ended.jsonl'), 'utf8')).toBe('');
    // what is kept is a corpus, which differs from the model
    expect(softleaf(['conform', join(out(), 'differences.jsonl')], dir).code).toBe(1);
  });

  it('goes on with what a folder keeps', () => {
    const { code, out: said } = fuzz('--out', out(), '--json');
    expect(code).toBe(1);
    const all = JSON.parse(said);
    expect(all).toMatchObject({ seed: 5, next: 64, asked: 32, driver: 'mended', walk: 'collect' });
    expect(all.kinds).toMatchObject([{ what: 'differs', op: 'mmap', count: 64 }]);
  });

  it.each([
    ['another seed', ['--seed', '6'], 'keeps a run with seed 5, not 6'],
    ['another driver', ['--driver', 'stock'], 'keeps a run with driver mended, not stock'],
    ['other profiles', ['--profile', 'fork'], 'keeps a run with profiles base, not fork'],
  ])('but not with %s', (_, args, why) => {
    const before = readFileSync(join(out(), 'fuzz.json'), 'utf8');
    const { code, err } = fuzz('--out', out(), ...args);
    expect(code).toBe(2);
    expect(err).toContain(why);
    expect(readFileSync(join(out(), 'fuzz.json'), 'utf8')).toBe(before);
  });

  it('nor with what is damaged, or something else', () => {
    const damaged = join(dir, 'damaged');
    mkdirSync(damaged);
    writeFileSync(
      join(damaged, 'fuzz.json'),
      readFileSync(join(out(), 'fuzz.json'), 'utf8').replace('"seed":5', '"seed":6'),
    );
    expect(fuzz('--out', damaged)).toMatchObject({ code: 2 });
    expect(fuzz('--out', damaged).err).toContain('this file is damaged');
    writeFileSync(join(damaged, 'fuzz.json'), '{}');
    expect(fuzz('--out', damaged).err).toContain('this is something else');
  });

  it('on a kernel that can run none of them: no verdict', () => {
    const skips = script('skips', `  echo '{"name":"x","skipped":"this kernel has no test_hmm"}'`);
    const { code, err } = run('fuzz', '--command', skips, '--programs', '32', '--seed', '1');
    expect(err).toContain('this kernel can run none of them');
    expect(code).toBe(2);
  });

  it('an agent that answers what nobody asked is one that cannot be used', () => {
    const talks = script(
      'talks',
      `  echo '{"name":"x","results":[{"ret":"ok"},{"ret":"ok"},{"ret":"ok"}]}'`,
    );
    const program = file('two.json', JSON.stringify(PROGRAM));
    const { code, err } = run('ask', '--command', talks, program);
    expect(err).toContain('one page: the agent returned 3 results of 2 operations');
    expect(code).toBe(2);
  });

  it('a profile that is not there, and files, are refused', () => {
    expect(run('fuzz', image, '--profile', 'forc')).toMatchObject({ code: 2 });
    expect(run('fuzz', image, '--profile', 'forc').err).toContain(
      'there is no "forc"; did you mean "fork"?',
    );
    expect(run('fuzz', image, 'a.json').err).toContain('fuzz takes no files');
  });
});

describe('race', () => {
  const page = { buf: 0, page: 0, pages: 1 };
  const PAIR = {
    name: 'a pair',
    machine: { pmdOrder: 2, pageBytes: 16 },
    setup: [{ op: 'mmap', ...page, prot: 'rw', kind: 'anon' }],
    tasks: { a: [{ op: 'cpu_write', ...page, tag: 2 }], b: [{ op: 'cpu_read', ...page }] },
    after: [],
  };
  /** Rounds in which b reads these tags. */
  const rounds = (...tags: number[]) => {
    const of = (tag: number) => ({
      results: {
        a: [{ ret: 'ok', done: 1 }],
        b: [{ ret: 'ok', done: 1, tags: [[tag * 65536, 1, 0]] }],
      },
      after: [],
    });
    return JSON.stringify({
      name: 'a pair',
      setup: [{ ret: 'ok' }],
      rounds: 100 * tags.length,
      lost: 0,
      outcomes: tags.map((tag, i) => [100 + i, of(tag)]),
    });
  };
  const race = (answer: string, ...args: string[]) => {
    const command = script(`race${++races}`, `  echo '${answer}'`);
    const program = file('pair.json', JSON.stringify(PAIR));
    return run('race', '--command', command, program, ...args);
  };
  let races = 0;

  it('beside what the model allows: all of it', () => {
    const { code, out, err } = race(rounds(0, 2));
    expect(err).toBe('');
    expect(code).toBe(0);
    expect(out).toContain('a pair: 200 rounds, 2 outcomes; the model allows 2 (all of them)\n');
    expect(out).toContain('  always  a[0] cpu_write  ok, done 1\n');
    expect(out).toMatch(/ 101 +ok, done 1, holds 2:0\n +100 +ok, done 1, holds 0\n/);
    expect(out).toContain('1 program: 1 show what the model allows (1 all of it), 0 show');
  });

  it('what was never seen, and what is not allowed', () => {
    const { code, out } = race(rounds(0, 7), '--record', join(dir, 'seen.jsonl'));
    expect(code).toBe(1);
    expect(out).toMatch(/ 101 +ok, done 1, holds 7:0 +NOT ALLOWED\n/);
    expect(out).toMatch(/ never +ok, done 1, holds 2:0\n/);
    expect(out).toContain('  the model does not allow it\n');
    // what was recorded is read again
    const again = run(
      'race',
      '--command',
      script('again', `  echo '${rounds(0)}'`),
      join(dir, 'seen.jsonl'),
    );
    expect(again.code).toBe(0);
    expect(again.out).toContain('the model allows what the kernel shows');
  });

  it('as JSON: each outcome with both sides, and a schedule that check replays', () => {
    const { code, out } = race(rounds(0), '--json');
    expect(code).toBe(0);
    const told = JSON.parse(out);
    expect(told).toMatchObject({
      name: 'a pair',
      driver: 'stock',
      verdict: 'allowed',
      complete: true,
    });
    expect(told.outcomes).toMatchObject([
      { rounds: 100, allowed: 'yes' },
      { rounds: 0, allowed: 'yes' },
    ]);
  });

  it('is 3 where it was not found and not everything was tried, 2 where nothing was run', () => {
    const open = race(rounds(7), '--schedules', '1');
    expect(open.out).toContain('not found in the model, of which not everything was tried');
    expect(open.code).toBe(3);
    const none = race('{"name":"x","skipped":"this kernel has no test_hmm"}');
    expect(none.out).toContain('a pair: not run: this kernel has no test_hmm');
    expect(none.code).toBe(2);
    const bad = run('race', image, file('bad.json', '{"name": "x", "setup": []}'));
    expect(bad).toMatchObject({ code: 2 });
    expect(bad.err).toContain('bad.json:1');
  });
});
