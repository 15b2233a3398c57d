/** What Linux has wrong, at the prompt: the list, and mends that are off in what a command runs. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { listedMends } from '../../src/cli/mends.ts';
import { FLAWS } from '../../src/drivers/flaws.ts';
import { MEND_NAMES } from '../../src/mm/mends.ts';
import { root, softleaf as run } from '../support/cli.ts';

let dir: string;
beforeAll(() => {
  dir = mkdtempSync(join(tmpdir(), 'softleaf-mends-'));
});
afterAll(() => rmSync(dir, { recursive: true, force: true }));

const softleaf = (...args: string[]) => run(args, root);

const scenario = 'scenarios/huge-shared-no-room.json';
const off = ['--unmended', 'split-one-process'];

describe('softleaf mends', () => {
  it('lists what is wrong with the kernel and with its test driver', () => {
    const { code, out } = softleaf('mends');
    expect(code).toBe(0);
    for (const name of [...MEND_NAMES, ...Object.values(FLAWS).map((flaw) => flaw.name)])
      expect(out).toContain(`\n${name}\n`);
  });

  it('prints the same as JSON', () => {
    const { out } = softleaf('mends', '--json');
    expect(JSON.parse(out)).toEqual(listedMends());
    for (const one of listedMends()) expect(one.function).toMatch(/^\w+\(\)$/);
  });
});

describe('--unmended', () => {
  it('turns a mend off: what is found says so, and is found again', () => {
    const { code, out } = softleaf('check', scenario, ...off, '--walk', 'collect', '--json');
    expect(code).toBe(1);
    const [finding] = JSON.parse(out).findings;
    expect(finding).toMatchObject({
      title: 'a huge entry gets a small folio in removeMigrationPmd',
      unmended: ['split-one-process'],
    });
    const replay = ['check', scenario, '--walk', 'collect', '--replay', finding.schedule];
    const again = softleaf(...replay, ...off);
    expect(again.code).toBe(1);
    expect(again.out).toContain('--unmended split-one-process --replay');
    // with every mend it is a schedule of another program
    expect(softleaf(...replay).code).toBe(2);
    const file = join(dir, 'finding.json');
    writeFileSync(file, out);
    const mail = softleaf('explain', file);
    expect(mail).toMatchObject({ code: 0 });
    expect(mail.out.replace(/\s+/g, ' ')).toContain('--unmended split-one-process --replay');
  });

  it('leaves a scenario clean that has none of it', () => {
    const args = ['check', scenario, '--walk', 'collect', '--schedules', '50'];
    expect(softleaf(...args)).toMatchObject({ code: 0 });
  });

  it('is for run and conform as well', () => {
    expect(softleaf('run', 'examples/migrate-on-fault.json', '--unmended', 'all').code).toBe(0);
    const args = ['conform', 'corpus/mof.jsonl', '--only', 'mof-20000', '--walk', 'collect'];
    const { out, code } = softleaf(...args, '--unmended', 'all');
    expect([code, out.match(/\d+ passed/)?.[0] ?? out]).toEqual([0, '1 passed']);
  });

  it('says what was meant, and is not for modules', () => {
    const wrong = softleaf('check', scenario, '--unmended', 'split-one-proces');
    expect(wrong).toMatchObject({ code: 2 });
    expect(wrong.err).toContain('did you mean "split-one-process"?');
    const module = softleaf('check', 'scenarios/driver-brings-back.mjs', ...off);
    expect(module).toMatchObject({ code: 2 });
    expect(module.err).toContain('makes its own machine');
  });
});
