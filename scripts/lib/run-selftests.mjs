/**
 * Runs selftests of a compiled copy of the model, in a process of its own. A line of JSON each: `name`,
 * `ok`, `first`, what did not hold first.
 *
 * Usage: node run-selftests.mjs COPY/out WALK NAME...
 */
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';

const [out, walk, ...names] = process.argv.slice(2);
const index = pathToFileURL(join(out, 'src', 'selftest', 'index.js')).href;
const { runTest, TESTS, testCases } = await import(index);
const cases = testCases(TESTS);

/** As the test has it, without the values: `ret (-22) == 0 (0)` is `ret == 0`. */
const withoutValues = (text) => text.replace(/^Expected /, '').replace(/ \(-?\d+\)/g, '');

for (const name of names) {
  const one = cases.find((c) => c.name === name);
  if (!one) throw new Error(`no such test: ${name}`);
  const { ok, skipped, diagnostics, ms } = runTest(one, { walk });
  const own = `${one.test.name}:`;
  const line = diagnostics.find((text) => text.startsWith(own)) ?? '';
  const first = withoutValues(line.slice(own.length).trim());
  process.stdout.write(`${JSON.stringify({ name, ok, skipped, first, ms })}\n`);
}
