/**
 * Shows that each selftest can fail: mistakes are put into copies of the model, and each must turn red
 * the tests that test/selftest/mutations.json says, at the assertion that it says, with every walk.
 * Without the mistake they pass. The mistakes are made for the tests, and are none that Linux had: so
 * they are not in bugs/.
 *
 * Usage: node scripts/selftest-mutations.mjs [ID...]
 */
import { execFile } from 'node:child_process';
import { cpSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { parseArgs, promisify } from 'node:util';
import { compileModel, copyModel, root, work as workOf } from './lib/model-copy.mjs';

const WALKS = ['unified', 'collect'];
const WORKERS = Math.min(2, availableParallelism());
/** Seconds for the tests of one mutation, and for all tests: a model with a mistake may never come back. */
const LIMIT = 120;
const LIMIT_OF_ALL = 600;

const { positionals } = parseArgs({ allowPositionals: true });
const mutations = JSON.parse(readFileSync(join(root, 'test/selftest/mutations.json'), 'utf8'));
for (const id of positionals) {
  if (!mutations.some((one) => one.id === id)) {
    console.error(
      `no such mutation: ${id} (there are ${mutations.map((one) => one.id).join(' ')})`,
    );
    process.exit(2);
  }
}
const chosen = mutations.filter(({ id }) => positionals.length === 0 || positionals.includes(id));
const begin = Date.now();
const work = workOf('mutations');

/** Runs tests of a copy in a process of its own. @returns what came of each, by its name */
async function run(at, walk, names, seconds) {
  const script = join(root, 'scripts/lib/run-selftests.mjs');
  const args = [script, join(at, 'out'), walk, ...names];
  const results = new Map();
  let stdout = '';
  let died = '';
  try {
    ({ stdout } = await promisify(execFile)(process.execPath, args, { timeout: seconds * 1000 }));
  } catch (error) {
    stdout = error.stdout ?? '';
    died = error.killed ? `does not end in ${seconds} seconds` : error.message;
  }
  for (const line of stdout.split('\n').filter(Boolean)) {
    const result = JSON.parse(line);
    results.set(result.name, result);
  }
  return { results, died };
}

/** As compiled, to put a mistake in. */
function put({ id, file, find, replace }, at) {
  const path = join(at, file);
  const before = readFileSync(path, 'utf8');
  const parts = before.split(find);
  if (parts.length !== 2)
    throw new Error(`${id}: its text is ${parts.length - 1} times in ${file}`);
  writeFileSync(path, parts.join(replace));
  return () => writeFileSync(path, before);
}

const line = (ok, id, walk, name, what) =>
  `${ok ? 'red   ' : 'FAILED'} ${id.padEnd(30)} ${walk.padEnd(8)} ${name.padEnd(50)} ${what}`;

/** Tries one mutation. @returns lines, and whether all is as it must be */
async function attempt(mutation, at) {
  const { id, turns, walks = WALKS } = mutation;
  const names = Object.keys(turns);
  const lines = [];
  let good = true;
  const restore = put(mutation, at);
  try {
    compileModel(at);
    for (const walk of walks) {
      const { results, died } = await run(at, walk, names, LIMIT);
      for (const name of names) {
        const { ok, first } = results.get(name) ?? { ok: true, first: died };
        const asSaid = !ok && first === turns[name];
        if (!asSaid) good = false;
        const said = asSaid ? first : `${first || 'passes'}; ${turns[name]} is expected`;
        lines.push(line(asSaid, id, walk, name, said));
      }
    }
  } catch (error) {
    good = false;
    lines.push(line(false, id, '', '', error.message));
  } finally {
    restore();
  }
  return { good, lines };
}

const clean = join(work, 'clean');
copyModel(clean, ['src'], (path) => path !== join(root, 'src', 'cli'));
compileModel(clean);
const copies = Array.from({ length: WORKERS }, (_, i) => join(work, `copy-${i}`));
for (const to of copies) cpSync(clean, to, { recursive: true });

let failed = 0;
const names = [...new Set(chosen.flatMap(({ turns }) => Object.keys(turns)))];
const passed = await Promise.all(
  WALKS.map(async (walk) => {
    const { results, died } = await run(clean, walk, names, LIMIT_OF_ALL);
    let count = 0;
    for (const name of names) {
      const { ok, skipped, first } = results.get(name) ?? { ok: false, first: died };
      if (ok && skipped === undefined) count++;
      else console.log(line(false, 'without a mutation', walk, name, skipped ?? first));
    }
    failed += names.length - count;
    return `${count} with ${walk}`;
  }),
);
console.log(`without a mutation pass, of ${names.length} tests: ${passed.join(', ')}`);

const queue = [...chosen];
await Promise.all(
  copies.map(async (at) => {
    for (let next = queue.shift(); next; next = queue.shift()) {
      const { good, lines } = await attempt(next, at);
      for (const text of lines) console.log(text);
      if (!good) failed++;
    }
  }),
);
rmSync(work, { recursive: true, force: true });
const seconds = Math.round((Date.now() - begin) / 1000);
console.log(`${chosen.length} mutations, ${names.length} tests, ${failed} failed, ${seconds} s`);
process.exit(failed > 0 ? 1 : 0);
