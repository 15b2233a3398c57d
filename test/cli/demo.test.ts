import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { demoCommand } from '../../src/cli/demo.ts';
import { packageFile, shippedCorpus } from '../../src/cli/files.ts';

let dir: string;
const lines = readFileSync(packageFile('corpus/mof.jsonl'), 'utf8').split('\n').slice(0, 3);
beforeAll(() => {
  dir = mkdtempSync(join(tmpdir(), 'softleaf-demo-'));
});
afterAll(() => rmSync(dir, { recursive: true, force: true }));

function demo(corpus: string[], env: Record<string, string> = {}) {
  let out = '';
  let err = '';
  const terminal = {
    stdout: { isTTY: true, write: (part: string) => (out += part) },
    stderr: { isTTY: false, write: (part: string) => (err += part) },
    env,
  };
  const file = join(dir, 'sample.jsonl');
  writeFileSync(file, corpus.join('\n'));
  return { code: demoCommand(terminal, [file]), out, err };
}

describe('softleaf demo', () => {
  it('shows the range, the two walks and the corpus', () => {
    const { code, out, err } = demo(lines, { NO_COLOR: '1' });
    expect({ code, err }).toEqual({ code: 0, err: '' });
    // biome-ignore lint/suspicious/noControlCharactersInRegex: no colour was asked for
    expect(out).not.toMatch(/\x1b/);
    const [before, after] = [...out.matchAll(/^proc 0 buf 0 +0 {2}(.*)$/gm)].map(([, row]) => row);
    expect(before).toBe('wwww....zzzzrrrr0011wwwwrrrr....');
    expect(after).toBe('00000000000000000000ww0000000000');
    expect(out).toContain('as recorded on Linux 7.3.4');
    // what is counted is the same everywhere, what is timed is not
    expect(out).not.toMatch(/\d ms|of collect's time/);
    const row = (walk: string) => {
      const [, counts] = out.match(new RegExp(`512 mixed pages[^]*?${walk} +(.*)$`, 'm')) ?? [];
      return (counts ?? '').split(/ +/).map(Number);
    };
    // one walk a page table; two passes of the driver take one for each 32 pages, and one more
    expect(row('unified')[0]).toBe(1);
    expect(row('collect')[0]).toBe(17);
    expect(out).toMatch(/^ +sample +3 +3 +0 +0$/m);
    expect(out).toMatch(/^ +all +3 +3 +0 +0$/m);
  });

  it('fails where a program differs from its recording', () => {
    const program = JSON.parse(lines[0]);
    program.results[0] = { ret: 'EINVAL' };
    const { code, out } = demo([JSON.stringify(program), lines[1]], { NO_COLOR: '1' });
    expect(code).toBe(1);
    expect(out).toMatch(/^ +all +2 +1 +1 +0$/m);
    expect(out).toMatch(/^softleaf conform .*sample\.jsonl shows what differs$/m);
  });

  it('runs on the whole shipped corpus', () => {
    const names = shippedCorpus().map((file) => file.replace(/.*\//, ''));
    expect(names).toEqual(expect.arrayContaining(['base.jsonl', 'mof.jsonl']));
    expect(names).not.toContain('known-differences.json');
  });
});
