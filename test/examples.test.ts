import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { parseProgram, runProgram, WALKS } from '../src/program/index.ts';

const folder = fileURLToPath(new URL('../examples', import.meta.url));
const entries = readdirSync(folder);
const files = entries.filter((entry) => entry.endsWith('.json'));

describe('examples', () => {
  it('are at least six, the main one among them', () => {
    expect(files.length).toBeGreaterThanOrEqual(6);
    expect(files).toContain('migrate-on-fault.json');
    expect(entries.filter((entry) => !files.includes(entry))).toEqual(['patterns', 'scenarios']);
  });

  describe.each(files)('%s', (file) => {
    const program = parseProgram(JSON.parse(readFileSync(`${folder}/${file}`, 'utf8')));

    it('says what to look for, and what Linux returned', () => {
      expect([program.comment ?? []].flat().join('\n')).toMatch(/Look at/);
      expect(program.ops.filter(({ comment }) => comment !== undefined)).not.toEqual([]);
      expect(program.results).toHaveLength(program.ops.length);
    });

    it.each(WALKS.filter((walk) => walk !== 'as-posted'))('does as recorded, walk %s', (walk) => {
      const { results, findings } = runProgram(program, { walk });
      expect(results).toEqual(program.results);
      expect(findings).toEqual([]);
    });
  });
});
