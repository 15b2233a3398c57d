/**
 * Known kernel bugs, put back into a copy of the model one at a time: the checker must find each, and
 * must find nothing in the same scenario without it.
 *
 * Usage: node scripts/bugs.mjs [--time SECONDS] [--keep] [ID...]
 */
import { spawnSync } from 'node:child_process';
import { readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { parseArgs } from 'node:util';
import { compileModel, copyModel, root, work as workOf } from './lib/model-copy.mjs';

const bugs = join(root, 'bugs');
const work = workOf('bugs');

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { time: { type: 'string', default: '50' }, keep: { type: 'boolean', default: false } },
});

/** A copy of the model with what searches it. */
function copy(name) {
  const cli = join(root, 'src', 'cli');
  const wanted = (path) =>
    path !== cli && (dirname(path) !== bugs || !/\.(json|patch|md)$/.test(path));
  return copyModel(join(work, name), ['src', 'bugs'], wanted);
}

/** Searches in a process of its own: a model that is broken may never come back. */
function hunt(at, id, walk, seconds) {
  const script = join(at, 'out', 'bugs', 'lib', 'hunt.js');
  const args = ['--stack-trace-limit=60', script, join(bugs, `${id}.json`), walk, String(seconds)];
  const timeout = (seconds + 20) * 1000;
  const { status, stdout, stderr, error } = spawnSync(process.execPath, args, {
    encoding: 'utf8',
    timeout,
  });
  if (error?.code === 'ETIMEDOUT') return { hangs: true };
  if (status !== 0) throw new Error(stderr || `ends with ${status}`);
  return JSON.parse(stdout);
}

const all = readdirSync(bugs)
  .filter((name) => name.endsWith('.json'))
  .map((name) => name.slice(0, -'.json'.length));
for (const id of positionals) {
  if (!all.includes(id)) {
    console.error(`no such bug: ${id} (there are ${all.join(' ')})`);
    process.exit(2);
  }
}
const chosen = positionals.length > 0 ? positionals : all;
const time = Number(values.time);

const base = copy('unpatched');
compileModel(base);
const lib = (name) => import(pathToFileURL(join(base, 'out', 'bugs', 'lib', name)).href);
const { applyPatch } = await lib('patch.js');
const { parseEntry } = await lib('entry.js');

const columns = [7, 6, 9, 6, 5];
const line = (id, walk, cells, title) =>
  `${id.padEnd(40)} ${walk.padEnd(9)} ${cells.map((c, i) => String(c).padStart(columns[i])).join(' ')}  ${title}`;

/** Searches for one bug on one walk. @returns the row, and whether all is as it must be */
function row(entry, walk, at) {
  const { id } = entry;
  const clean = hunt(base, id, walk, Math.min(time, 20));
  if (clean.hangs || clean.found) {
    const what = clean.hangs ? 'does not come back' : clean.found.title;
    return { ok: false, text: line(id, walk, ['NOT CLEAN', '', '', '', ''], what) };
  }
  const { found, hangs, seconds, schedules, strategy } = hunt(at, id, walk, time);
  if (hangs) {
    const cells = ['hangs', time, '', '', ''];
    return { ok: false, text: line(id, walk, cells, 'the model does not come back') };
  }
  const how = `${clean.complete ? 'all' : 'part'} of ${clean.schedules} clean`;
  if (!found) {
    const cells = ['MISSED', seconds.toFixed(1), schedules, '', ''];
    return { ok: false, text: line(id, walk, cells, `nothing; ${how}`) };
  }
  const expected = found.title.includes(entry.finding) && found.invariant === entry.invariant;
  const cells = [
    expected ? 'found' : 'other',
    seconds.toFixed(1),
    schedules,
    found.steps,
    found.preemptions,
  ];
  const title = `${found.invariant}: ${found.title} (${strategy}; ${how})`;
  // without the bug nothing is found there: whatever is found shows the bug
  return { ok: true, text: line(id, walk, cells, title) };
}

console.log(line('bug', 'walk', ['', 'sec', 'schedules', 'steps', 'pree'], 'finding'));
let found = 0;
let failed = 0;
const impossible = [];
for (const id of chosen) {
  const entry = parseEntry(JSON.parse(readFileSync(join(bugs, `${id}.json`), 'utf8')), id);
  if (entry.impossible) {
    impossible.push(entry);
    continue;
  }
  let ok = true;
  try {
    const at = copy(id);
    const patch = readFileSync(join(bugs, `${id}.patch`), 'utf8');
    const read = (path) => readFileSync(join(at, path), 'utf8');
    for (const [path, text] of applyPatch(patch, read)) writeFileSync(join(at, path), text);
    compileModel(at);
    for (const walk of entry.walks) {
      const { ok: good, text } = row(entry, walk, at);
      console.log(text);
      if (!good) ok = false;
    }
    if (!values.keep) rmSync(at, { recursive: true, force: true });
  } catch (error) {
    ok = false;
    console.log(line(id, '', ['ERROR', '', '', '', ''], error.message));
  }
  if (ok) found++;
  else failed++;
}
for (const { id, impossible: why } of impossible)
  console.log(`${id.padEnd(40)} not expressed: ${why}`);
if (!values.keep) rmSync(work, { recursive: true, force: true });
console.log(`${found} found, ${failed} failed, ${impossible.length} not expressed`);
process.exit(failed > 0 ? 1 : 0);
