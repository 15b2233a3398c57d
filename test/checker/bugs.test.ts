import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { parseEntry } from '../../bugs/lib/entry.ts';
import { applyPatch, PatchError } from '../../bugs/lib/patch.ts';
import { Execution, programScenario, type Scenario } from '../../src/checker/index.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));
const bugs = join(root, 'bugs');
const read = (path: string) => readFileSync(join(root, path), 'utf8');
const names = readdirSync(bugs);
const ids = names.filter((name) => name.endsWith('.json')).map((name) => name.slice(0, -5));

describe('bugs/', () => {
  it('has every known bug', () => {
    expect(ids.length).toBe(37);
    const patches = names
      .filter((name) => name.endsWith('.patch'))
      .map((name) => name.slice(0, -6));
    expect(patches.filter((id) => !ids.includes(id))).toEqual([]);
  });

  describe.each(ids)('%s', (id) => {
    const entry = parseEntry(JSON.parse(read(`bugs/${id}.json`)), id);

    it.skipIf(entry.impossible)('changes what is there', () => {
      const changed = applyPatch(read(`bugs/${id}.patch`), read);
      expect(changed.size).toBeGreaterThan(0);
      for (const [path, text] of changed) expect(text).not.toBe(read(path));
    });

    it.skipIf(entry.impossible)('has a scenario whose tasks begin', async () => {
      let scenario = entry.program && (programScenario(entry.program) as unknown as Scenario);
      if (entry.scenario) {
        expect(existsSync(join(bugs, entry.scenario))).toBe(true);
        const module = (await import(join(bugs, entry.scenario))) as { default: Scenario };
        scenario = module.default;
      }
      expect(scenario?.name).toBe(id);
      for (const walk of entry.walks) {
        const x = new Execution(scenario as Scenario, { walk });
        x.reset();
        expect(x.finding).toBe(null);
      }
    });
  });
});

describe('applyPatch', () => {
  const lines = (text: string) => text.split(' ').join('\n');
  const patch = ['--- a/f', '+++ b/f', '@@ -2,5 +2,5 @@', ' b', ' c', '-d', '+D', ' e', ' f', ''];
  const apply = (text: string, from = patch) => {
    const out = applyPatch(from.join('\n'), () => lines(text));
    return out.get('f')?.split('\n').join(' ');
  };

  it('changes a file where the patch says', () => {
    expect(apply('a b c d e f g')).toBe('a b c D e f g');
  });

  it('finds lines that have moved, the nearest first', () => {
    expect(apply('x y z a b c d e f g')).toBe('x y z a b c D e f g');
    expect(apply('a b c d e f b c d e f')).toBe('a b c D e f b c d e f');
  });

  it('gives up context at the ends', () => {
    expect(apply('a X c d e Y g')).toBe('a X c D e Y g');
    expect(apply('a X Y d V W g')).toBe('a X Y D V W g');
  });

  it('applies several parts, each a little off', () => {
    const second = ['@@ -8,2 +8,1 @@', ' h', '-i', ''];
    expect(apply('n a b c d e f g h i', [...patch.slice(0, -1), ...second])).toBe(
      'n a b c D e f g h',
    );
  });

  it('says what finds no place', () => {
    expect(() => apply('a b c X e f g')).toThrow(PatchError);
    expect(() => apply('a b c X e f g')).toThrow('f: no place for the change at line 2: -d');
    expect(() => apply('a', ['nothing'])).toThrow('no file is patched');
  });
});

describe('parseEntry', () => {
  const good = JSON.parse(read('bugs/zap-warn-file-private-anon.json')) as object;

  it.each([
    ['a field that is not there', { kind: undefined }, /kind/],
    ['an unknown field', { colour: 'red' }, /colour/],
    ['an unknown search field', { search: { fault: 1 } }, /search.fault/],
    ['two scenarios', { scenario: 'x.ts' }, /one of/],
    ['a walk that does not exist', { walks: ['sideways'] }, /walks/],
  ])('refuses %s', (_, change, message) => {
    expect(() => parseEntry({ ...good, ...change }, 'x')).toThrow(message);
  });

  it('needs no finding of what cannot be expressed', () => {
    const { upstream, kind, comment } = parseEntry(good, 'x');
    const entry = parseEntry({ upstream, kind, comment, impossible: 'why' }, 'x');
    expect(entry.impossible).toBe('why');
  });
});
