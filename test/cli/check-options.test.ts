/** What `softleaf check` prints for others, and what it compares with. */
import { spawn, spawnSync } from 'node:child_process';
import { chmodSync, existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { executable, root, softleaf } from '../support/cli.ts';
import { onePage, PAGE, race } from '../support/one-page.ts';

let dir: string;
beforeAll(() => {
  dir = mkdtempSync(join(tmpdir(), 'softleaf-options-'));
});
afterAll(() => rmSync(dir, { recursive: true, force: true }));
const file = (name: string, value: unknown) => {
  writeFileSync(join(dir, name), JSON.stringify(value));
  return join(dir, name);
};
const check = (...args: string[]) =>
  softleaf(['check', '--workers', '1', '--strategy', 'exhaustive', ...args], dir);
const title = 'cpu_read: tags must be [[65536,1,0]], is [[131072,1,0]]';
/** In which nothing breaks. */
const calm = () =>
  file(
    'calm.json',
    onePage('calm', { a: [{ op: 'cpu_read', ...PAGE }], b: [{ op: 'cpu_read', ...PAGE }] }),
  );

describe('the line that replays a finding', () => {
  it('can be pasted whatever the file is called, and runs nothing else', () => {
    const folder = join(dir, 'my folder');
    mkdirSync(folder);
    const name = `$(touch run) it's "one" & \`touch run\`.json`;
    writeFileSync(join(folder, name), JSON.stringify(race()));
    const { out } = softleaf(['check', '--workers', '1', name], folder);
    const [, line] = /again: {3}(.*)\n/.exec(out) ?? [];
    const bin = join(folder, 'softleaf');
    writeFileSync(bin, `#!/bin/sh\nexec "${process.execPath}" "${executable}" "$@"\n`);
    chmodSync(bin, 0o755);
    const { status, stdout } = spawnSync('bash', ['-c', line], {
      cwd: folder,
      env: { ...process.env, PATH: `${folder}:${process.env.PATH}` },
      encoding: 'utf8',
    });
    expect(status).toBe(1);
    expect(stdout).toContain(title);
    expect(existsSync(join(folder, 'run'))).toBe(false);
  });
});

describe('--json', () => {
  it('has nothing that a terminal obeys', () => {
    const { out } = check(file('odd.json', { ...race(), name: 'a\u001b[31m\u202e' }), '--json');
    expect(out).toMatch(/^[\x20-\x7e]+\n$/);
    expect(JSON.parse(out).findings[0].scenario).toBe('a\u001b[31m\u202e');
  });
});

describe('--format', () => {
  const both = () => [file('race.json', race()), calm()];

  it('ktap: a scenario on a walk is a test', () => {
    const { code, out } = check(...both(), '--format', 'ktap');
    expect(code).toBe(1);
    const [version, name, plan, again, first, second, totals] = out.split('\n');
    expect([version, name, plan]).toEqual(['KTAP version 1', '# softleaf check', '1..2']);
    expect(again).toMatch(/^# softleaf check \S+race\.json --walk unified --replay \S+$/);
    expect(first).toBe(`not ok 1 race, walk unified # ${title}`);
    expect(second).toBe('ok 2 calm, walk unified');
    expect(totals).toBe('# Totals: pass:1 fail:1 xfail:0 xpass:0 skip:0 error:0');
  });

  it('junit and github: with the file', () => {
    const xml = check(...both(), '--format', 'junit').out;
    expect(xml).toContain('tests="2" failures="1" errors="0"');
    expect(xml).toMatch(/<testcase name="race, walk unified"[^>]* file="[^"]*race\.json">/);
    const lines = check(...both(), '--format', 'github').out;
    expect(lines).toMatch(
      /^::error file=.*race\.json,title=softleaf check%3A race%2C walk unified::/,
    );
  });

  it('says what was not tried to the end; that fails where it is required', () => {
    const long = join(root, 'scenarios/eviction-against-device-fault.json');
    const some = [long, '--schedules', '20', '--format', 'ktap'];
    const { code, out } = check(...some);
    expect(code).toBe(0);
    expect(out).toContain(
      'ok 1 eviction against device fault, walk unified # nothing found, not every',
    );
    const required = check(...some, '--require-complete');
    expect(required.code).toBe(3);
    expect(required.out).toContain('not ok 1 eviction');
  });
});

describe('--baseline', () => {
  const printed = (name: string, ...args: string[]) => {
    writeFileSync(join(dir, name), check(...args, '--json').out);
    return join(dir, name);
  };

  it('exits with 1 for what is new alone, and says what is gone', () => {
    const subject = file('race.json', race());
    const known = printed('known.json', subject);
    const same = check(subject, '--baseline', known);
    expect(same.code).toBe(0);
    expect(same.out).toMatch(/\n {2}since: {3}0 new, 1 known, 0 gone\n$/);
    const none = printed('none.json', calm());
    const fresh = check(subject, '--baseline', none);
    expect(fresh.code).toBe(1);
    expect(fresh.out).toContain(`since:   1 new, 0 known, 0 gone\n  new:     ${title} (race)\n`);
    // the same scenario, in which it does not break any more
    const mended = file('race.json', onePage('race', { a: [{ op: 'cpu_read', ...PAGE }] }));
    const gone = check(mended, '--baseline', known, '--json');
    expect(gone.code).toBe(0);
    expect(JSON.parse(gone.out).since).toEqual({
      new: [],
      known: [],
      gone: [{ scenario: 'race', title }],
    });
  });

  it.each([
    ['nothing', undefined],
    ['no JSON', '{'],
    ['a program', JSON.stringify(race())],
    ['findings of another kind', '{"findings":[7]}'],
  ])('that is %s is refused', (_, text) => {
    const path = join(dir, 'bad-baseline.json');
    rmSync(path, { force: true });
    if (text !== undefined) writeFileSync(path, text);
    const { code, err } = check(calm(), '--baseline', path);
    expect(code).toBe(2);
    expect(err).toMatch(/^softleaf: [^\n]*bad-baseline\.json[^\n]*\n$/);
  });
});

describe('--ignore', () => {
  it('a finding does not count, but is no proof, and others are searched for', () => {
    const subject = file('race.json', race());
    const { code, out } = check(subject, '--ignore', title, '--json', '--findings', '1');
    expect(code).toBe(0);
    const { verdict, findings, ignored, coverage } = JSON.parse(out);
    expect({ verdict, findings, ignored }).toEqual({
      verdict: 'nothing-found',
      findings: [],
      ignored: [title],
    });
    expect(coverage.bounds).toEqual([`ignored: ${title}`]);
    expect(coverage.complete).toBe(1);
    expect(check(subject, '--ignore', 'another').code).toBe(1);
    expect(check(subject, '--ignore', title, '--require-complete').code).toBe(3);
  });
});

describe('--watch', () => {
  it('checks again when a file has changed, whatever was in it', async () => {
    const subject = file('watched.json', race());
    const args = [executable, 'check', subject, '--workers', '1', '--strategy', 'exhaustive'];
    const child = spawn(process.execPath, [...args, '--watch']);
    const said = { out: '', err: '' };
    child.stdout.on('data', (part) => (said.out += part));
    child.stderr.on('data', (part) => (said.err += part));
    const ended = new Promise<number | null>((done) => child.on('close', (code) => done(code)));
    const until = async (holds: () => boolean) => {
      while (!holds() && child.exitCode === null) await setTimeout(20);
    };
    await until(() => said.err.includes('watching, Ctrl+C ends it\n'));
    expect(said.out).toContain(title);
    writeFileSync(subject, '{"name": "p", "tasks": [}');
    await until(() => said.err.includes('no JSON'));
    expect(said.err).toContain('watched.json:1:25: no JSON');
    file('watched.json', onePage('calm', { a: [{ op: 'cpu_read', ...PAGE }] }));
    await until(() => said.out.includes('proved: '));
    child.kill('SIGINT');
    expect(await ended).toBe(0);
    expect(said.out).toContain('proved: ');
  });
});

describe('options that do not go together', () => {
  it.each([
    [['--keep-every', '3'], /--keep-every: expected --resume/],
    [['--json', '--format', 'ktap'], /--json and --format/],
    [['--watch', '--resume', 'r.json'], /--watch and --resume/],
    [['--resume', 'r.json', '--report', 'r.json'], /would write over r\.json/],
    [['--keep-every', '0', '--resume', 'r.json'], /number from 0\.1/],
  ])('%j', (args, why) => {
    const { code, err } = check(calm(), ...args);
    expect(code).toBe(2);
    expect(err).toMatch(why);
  });
});
