/** What docs/as-posted.md says of the posted patch is found by the lines that it gives. */
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { DEFAULT_PLAN, type Plan, runJob, type Subject } from '../../src/checker/index.ts';
import { loadSubjects } from '../../src/cli/check/files.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));
const page = readFileSync(`${root}docs/as-posted.md`, 'utf8');

interface Told {
  heading: string;
  title: string;
  /** What stands behind `npx softleaf check`. */
  lines: string[][];
}

const sections = page.split(/^## (?=\d+\. )/m).slice(1);
const told: Told[] = sections.map((section) => ({
  heading: section.split('\n')[0],
  title: /^Found as: `(.*)`$/m.exec(section)?.[1] ?? '',
  lines: [...section.matchAll(/^ {4}npx softleaf check (.*)$/gm)].map(([, line]) =>
    line.split(' '),
  ),
}));

/** The plan that the options of a line ask for. */
function planOf(options: string[]): Plan {
  const plan: Record<string, unknown> = { ...DEFAULT_PLAN };
  for (let i = 0; i < options.length; i += 2) {
    const [name, value] = [options[i].slice(2), options[i + 1]];
    if (name !== 'walk') plan[name] = name === 'strategy' ? value : Number(value);
  }
  return plan as unknown as Plan;
}

async function subjectOf(file: string): Promise<Subject> {
  const [{ subject }] = await loadSubjects(`${root}${file}`);
  return subject;
}

const EFFORT = { schedules: 200, time: Number.POSITIVE_INFINITY };

describe('docs/as-posted.md', () => {
  it('tells of at least six mistakes, each by a title or a scenario of its own', () => {
    expect(new Set(told.map(({ title }) => title)).size).toBeGreaterThanOrEqual(6);
    expect(new Set(told.map(({ lines }) => lines[0][0])).size).toBe(told.length);
    for (const { title, lines } of told) {
      expect(title).not.toBe('');
      expect(lines.length).toBeGreaterThan(0);
      for (const line of lines) expect(line.join(' ')).toContain('--walk as-posted');
    }
  });

  describe.each(told)('$heading', ({ title, lines }) => {
    it.each(lines)('is found by check %s', async (file, ...options) => {
      const subject = await subjectOf(file);
      const plan = planOf(options);
      // the command goes on for longer, as more may break
      const some = { ...plan, schedules: Math.min(plan.schedules, 3000) };
      const { findings } = runJob(subject, 'as-posted', some, { effort: EFFORT });
      const finding = findings.find((found) => found.title === title);
      expect(findings.map((found) => found.title)).toContain(title);
      expect(finding?.steps).toBeGreaterThan(0);
      expect(finding?.steps).toBeLessThanOrEqual(25);
      // whatever else is found there is told of, too
      for (const found of findings) expect(page).toContain(`Found as: \`${found.title}\``);
      const mended = runJob(subject, 'unified', { ...plan, schedules: 150 }, { effort: EFFORT });
      expect(mended.findings).toEqual([]);
    });
  });
});
