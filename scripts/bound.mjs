/**
 * Puts a bound into the loops of the compiled rooms up to `selftest`: each turn of one counts down
 * (src/machine/loops.ts), and where too many were taken the run stops with a finding. So a model that loops does not
 * keep `softleaf conform`, `run` and `selftest` for ever.
 *
 * Not bounded: loops over what is there (`for … of`), and those that count to their end and change the number nowhere else.
 *
 * Usage: node scripts/bound.mjs DIST
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { parse } from 'acorn';
import { modules, withInserts, within } from './lib/compiled.mjs';
import { ROOMS } from './rooms.mjs';

/** The rooms whose loops are bounded: all that runs without a checker. */
const BOUNDED = ROOMS.slice(
  0,
  ROOMS.findIndex(({ name }) => name === 'checker'),
).map(({ name }) => name);
/** Counts itself. */
const COUNTER = 'machine/loops.js';

/** A module with functions that are modelled, or that call such. */
const MODELLED = /\bfunction\*|\byield\b/;

/** No condition: what counts branches does not count it. */
const TURN = '--turns[0] || noEnd();';

const nameOf = (node) => (node?.type === 'Identifier' ? node.name : null);

/** What an expression changes by a step: the name of a variable; null: it may do more, or nothing. */
function steps(node) {
  if (node?.type === 'UpdateExpression') return nameOf(node.argument);
  if (node?.type !== 'AssignmentExpression') return null;
  return /^[+-]=$/.test(node.operator) && node.right.type === 'Literal' ? nameOf(node.left) : null;
}

/** Whether a loop counts, and nothing in it changes what it counts with. */
function counts({ update, body }) {
  const parts = update?.type === 'SequenceExpression' ? update.expressions : [update];
  const name = parts.map(steps).find((one) => one !== null) ?? null;
  if (name === null) return false;
  for (const node of within(body)) {
    if (node.type === 'AssignmentExpression' && nameOf(node.left) === name) return false;
    if (node.type === 'UpdateExpression' && nameOf(node.argument) === name) return false;
  }
  return true;
}

/** The module with a bound in its loops; as it is where it has none. */
export function bounded(code, importFrom) {
  const inserts = [];
  for (const node of within(parse(code, { ecmaVersion: 'latest', sourceType: 'module' }))) {
    const isLoop =
      node.type === 'WhileStatement' ||
      node.type === 'DoWhileStatement' ||
      (node.type === 'ForStatement' && !counts(node));
    if (!isLoop) continue;
    const { body } = node;
    if (body.type === 'BlockStatement') inserts.push({ pos: body.start + 1, text: TURN });
    else inserts.push({ pos: body.start, text: `{${TURN}` }, { pos: body.end, text: '}' });
  }
  if (inserts.length === 0) return code;
  return withInserts(code, inserts, 'noEnd, turns', importFrom);
}

function main(dist) {
  for (const room of BOUNDED) {
    for (const path of modules(join(dist, room))) {
      const name = relative(dist, path);
      if (name === COUNTER) continue;
      const code = readFileSync(path, 'utf8');
      // what reads programs is there before any model is: it runs nothing that is modelled
      if (name.startsWith('program/') && !MODELLED.test(code)) continue;
      const up = '../'.repeat(name.split('/').length - 1);
      writeFileSync(path, bounded(code, `${up || './'}${COUNTER}`));
    }
  }
}

if (process.argv[1]?.endsWith('bound.mjs') && process.argv[2]) main(process.argv[2]);
