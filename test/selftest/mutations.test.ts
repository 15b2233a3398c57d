import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { testCases } from '../../src/selftest/harness.ts';
import { TESTS } from '../../src/selftest/tests/index.ts';

/** A mistake in the model, and what it turns red. `npm run selftest:mutations` shows that it does. */
interface Mutation {
  id: string;
  /** The function of the kernel, and what it does wrong. */
  what: string;
  file: string;
  /** Text of the file that is replaced. */
  find: string;
  replace: string;
  /** By the whole name of a test, the assertion that fails first: as it is printed, without values. */
  turns: Record<string, string>;
  /** With which walks; default: with both. */
  walks?: string[];
}

const root = fileURLToPath(new URL('../..', import.meta.url));
const read = (path: string) => readFileSync(join(root, path), 'utf8');
const MUTATIONS = JSON.parse(read('test/selftest/mutations.json')) as Mutation[];
const CASES = testCases(TESTS);
const each = MUTATIONS.map((one) => [one.id, one] as const);
/** Of a test that asserts nothing, something that the model finds wrong with itself fails it. */
const WITHOUT_ASSERTION = 'open_close';

/** What tests compare: `{ ret }`, `{ 'm[0]': … }`, `negative(EPERM)`, the text of Words; `*` for any text. */
function comparedTexts(): RegExp[] {
  const files = readdirSync(join(root, 'src/selftest'), { recursive: true, encoding: 'utf8' });
  const source = files
    .filter((name) => name.endsWith('.ts'))
    .map((name) => read(`src/selftest/${name}`))
    .join('\n');
  const keys = [...source.matchAll(/\{ (\w+)\b/g)].map(([, key]) => key);
  const strings = [...source.matchAll(/'([^'\n]+)'|`([^`\n]+)`/g)].map(([, a, b]) => a ?? b);
  const errnos = [...source.matchAll(/\bnegative\((\w+)\)/g)].map(([, errno]) => `-${errno}`);
  return [...keys, ...strings, ...errnos].map((text) => {
    const parts = text
      .split(/\$\{\w+\}/)
      .map((part) => part.replace(/[.*+?^${}()|[\]\\]/g, '\\$&'));
    return new RegExp(`^${parts.join('.+')}$`);
  });
}

describe('the mutations', () => {
  it.each(['unified', 'collect'])('turn every test red once, with the walk %s', (walk) => {
    const names = MUTATIONS.filter(({ walks }) => walks?.includes(walk) ?? true).flatMap(
      ({ turns }) => Object.keys(turns),
    );
    expect(names.toSorted()).toEqual(CASES.map(({ name }) => name).toSorted());
  });

  it.each(each)('%s is in the model, at one place', (_, { file, find, replace }) => {
    expect(file).toMatch(/^src\/(machine|mm|hmm|drivers)\/[\w/-]+\.ts$/);
    expect(existsSync(join(root, file))).toBe(true);
    expect(read(file).split(find)).toHaveLength(2);
    expect(replace).not.toBe(find);
  });

  it('are different ones, each for few tests', () => {
    expect(new Set(MUTATIONS.map(({ id }) => id)).size).toBe(MUTATIONS.length);
    const places = MUTATIONS.map(({ file, find, replace }) =>
      JSON.stringify([file, find, replace]),
    );
    expect(new Set(places).size).toBe(MUTATIONS.length);
    expect(MUTATIONS.length).toBeGreaterThanOrEqual(40);
    for (const { id, turns } of MUTATIONS) {
      const tests = new Set(Object.keys(turns).map((name) => name.split('.').at(-1)));
      expect(tests.size, id).toBeLessThanOrEqual(3);
    }
  });

  it('name assertions that the tests make', () => {
    const texts = comparedTexts();
    const isThere = (side: string) => /^\d+$/.test(side) || texts.some((text) => text.test(side));
    for (const { turns } of MUTATIONS) {
      for (const [name, assertion] of Object.entries(turns)) {
        const sides = assertion.split(/ (?:==|!=|>=) /);
        expect(sides.length === 2, name).toBe(!name.endsWith(`.${WITHOUT_ASSERTION}`));
        if (sides.length === 2)
          expect(
            sides.filter((side) => !isThere(side)),
            name,
          ).toEqual([]);
      }
    }
  });
});

describe('docs/selftests.md', () => {
  const code = (text: string) => `\`${text.replaceAll('|', '\\|')}\``;

  /** A row a test, or two where its devices have mutations of their own. */
  function table(): string[] {
    const rows = TESTS.flatMap((test) => {
      const cases = CASES.filter((one) => one.test === test);
      const cells = MUTATIONS.flatMap(({ what, turns, walks }) =>
        cases.flatMap(({ name, device }) => {
          if (!turns[name]) return [];
          const how = walks ? ` (${walks.join(', ')})` : '';
          return [{ device, rest: `${what}${how} | ${code(turns[name])}` }];
        }),
      );
      const both = (rest: string) => cells.filter((cell) => cell.rest === rest).length > 1;
      const rows = cells.map(({ device, rest }) =>
        both(rest) ? `| \`${test.name}\` | ${rest} |` : `| \`${test.name}\`, ${device} | ${rest} |`,
      );
      return [...new Set(rows)];
    });
    return ['| test | mistake | fails first |', '|---|---|---|', ...rows];
  }

  it('has the table of the mutations (--update writes it)', async () => {
    const text = read('docs/selftests.md');
    const block = /^\| test \| mistake \| fails first \|\n(\|.*\n)+/m;
    expect(text).toMatch(block);
    const now = text.replace(block, () => `${table().join('\n')}\n`);
    await expect(now).toMatchFileSnapshot('../../docs/selftests.md');
  });

  it('says how many there are', () => {
    expect(read('docs/selftests.md')).toContain(` ${MUTATIONS.length} mistakes`);
  });
});
