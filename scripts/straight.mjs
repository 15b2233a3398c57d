/**
 * Makes the straight-line build of compiled rooms: the same functions with their yields taken out, so
 * that they are plain functions and calls. It is what runs programs and benchmarks; whatever suspends
 * tasks (the checker, the lab) runs the generators. A test holds that both give the same results.
 *
 * Usage: node scripts/straight.mjs FROM TO [FOLDER...]: transforms the rooms below FROM to below TO,
 * which may be FROM, and the modules of other folders in place.
 */
import { cpSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { modules } from './lib/compiled.mjs';
import { roomsThat } from './rooms.mjs';

const ROOMS = roomsThat('straight');

/** What is taken out or changed, in this order. */
const RULES = [
  // a step before an operation: `if (k.stepping) yield k.acquire(ptl);`
  [/if \(k\.stepping[^\n]*\)\n\s*yield [^;]*;/g, ';'],
  // nobody watches: who looks at what
  [/if \(k\.monitor !== null\)\n\s*k\.monitor\.on(?:Page|Follow|Read)\([^;]*;/g, ';'],
  // a device's operation that takes time: here it must not
  [
    /if \(pending\)\n\s*yield [^;]*;/g,
    "if (pending) throw new Error('a device that takes time needs an executor that waits');",
  ],
  // calls of modelled functions
  [/\byield\* /g, ''],
  // modelled functions
  [/\bfunction\* /g, 'function '],
  [/\bfunction\*\(/g, 'function ('],
  [/^(\s*)\*(\w+)\(/gm, '$1$2('],
];

/** Takes the yields out of one compiled module. */
export function straighten(code, name) {
  let out = code;
  for (const [pattern, replacement] of RULES) out = out.replace(pattern, replacement);
  const comments = /\/\*[\s\S]*?\*\/|\/\/[^\n]*/g;
  const left = /[^\n]*\byield\b[^\n]*/.exec(out.replace(comments, ''));
  if (left) throw new Error(`${name}: a yield that no rule covers: ${left[0].trim()}`);
  return out;
}

function main(from, to, folders) {
  if (to !== from) {
    rmSync(to, { recursive: true, force: true });
    for (const room of ROOMS) cpSync(join(from, room), join(to, room), { recursive: true });
  }
  for (const folder of [...ROOMS.map((room) => join(to, room)), ...folders]) {
    for (const path of modules(folder)) {
      writeFileSync(path, straighten(readFileSync(path, 'utf8'), path));
    }
  }
  cpSync(join(to, 'machine', 'execute-straight.js'), join(to, 'machine', 'execute.js'));
  if (to === from) return;
  // the command line runs programs in a straight line
  const rooms = new RegExp(`'((?:\\.\\./)+)(${ROOMS.join('|')})/`, 'g');
  const straight = `'$1${relative(from, to)}/$2/`;
  for (const path of modules(join(from, 'cli'))) {
    writeFileSync(path, readFileSync(path, 'utf8').replace(rooms, straight));
  }
}

const [from, to, ...folders] = process.argv.slice(2);
if (from && to) main(from, to, folders);
