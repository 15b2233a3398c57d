/**
 * Puts counting into the compiled rooms of what is modelled (`counted` in rooms.mjs): each function and each way that a condition goes
 * notes that it ran (src/machine/ran.ts). A checker's verdict says from that what it never reached.
 *
 * Not counted: what only looks on (invariants, descriptions), guards of steps and of those who watch, and
 * what only reports that something is wrong.
 *
 * Usage: node scripts/count.mjs DIST
 */
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { SourceMap } from 'node:module';
import { join, relative } from 'node:path';
import { parse } from 'acorn';
import { modules, withInserts } from './lib/compiled.mjs';
import { ONLOOKERS, roomsThat } from './rooms.mjs';

/** Conditions that have nothing to do with what is modelled. */
const GUARD = /\b(stepping|monitor|ledger)\b/;
/** A branch that says that something is wrong. */
const COMPLAINT = /^\{?\s*(throw\b|k\.(report|bug|warn)\()/;

/**
 * Finds what to count in a module.
 * @returns what to insert where, and the places, in order
 */
export function countsOf(code) {
  const inserts = [];
  const places = [];
  let name = '';
  const put = (pos, text) => inserts.push({ pos, text });
  const mark = (node, what) => {
    places.push({ start: node.start, function: name, what });
    return `ran[BASE + ${places.length - 1}] = 1`;
  };
  const textOf = (node) => code.slice(node.start, node.end);

  const branch = (node) => {
    if (COMPLAINT.test(textOf(node))) return visit(node);
    const count = mark(node, 'branch');
    if (node.type === 'BlockStatement') put(node.start + 1, `${count};`);
    else put(node.start, `{${count};`);
    visit(node);
    if (node.type !== 'BlockStatement') put(node.end, '}');
  };
  const arm = (node) => {
    put(node.start, `(${mark(node, 'branch')}, `);
    visit(node);
    put(node.end, ')');
  };
  const ofIf = (node) => {
    visit(node.test);
    if (GUARD.test(textOf(node.test))) {
      visit(node.consequent);
      if (node.alternate) visit(node.alternate);
      return;
    }
    branch(node.consequent);
    if (node.alternate?.type === 'IfStatement') ofIf(node.alternate);
    else if (node.alternate) branch(node.alternate);
    else if (!COMPLAINT.test(textOf(node.consequent))) {
      put(node.end, ` else ${mark(node, 'branch')};`);
    }
  };
  const ofFunction = (node, own) => {
    const outer = name;
    name = own;
    put(node.body.start + 1, `${mark(node, 'function')};`);
    visit(node.body);
    name = outer;
  };

  function visit(node) {
    if (Array.isArray(node)) {
      for (const item of node) visit(item);
      return;
    }
    if (typeof node?.type !== 'string') return;
    switch (node.type) {
      case 'FunctionDeclaration':
        return ofFunction(node, node.id.name);
      case 'MethodDefinition':
        return ofFunction(node.value, node.key.name ?? 'constructor');
      case 'IfStatement':
        return ofIf(node);
      case 'ConditionalExpression':
        visit(node.test);
        arm(node.consequent);
        return arm(node.alternate);
      case 'SwitchCase':
        if (node.consequent.length > 0 && !COMPLAINT.test(textOf(node.consequent[0]))) {
          put(node.consequent[0].start, `${mark(node, 'branch')};`);
        }
        return visit(node.consequent);
      case 'ForStatement':
      case 'ForOfStatement':
      case 'ForInStatement':
      case 'WhileStatement':
        for (const part of ['init', 'test', 'update', 'right']) visit(node[part]);
        return branch(node.body);
      default:
        for (const key of Object.keys(node)) visit(node[key]);
    }
  }

  visit(parse(code, { ecmaVersion: 'latest', sourceType: 'module' }).body);
  return { inserts, places };
}

/** The module with its counting; `base` is the number of its first place. */
export function counted(code, base, { inserts }, importFrom) {
  const number = (text) => text.replace(/BASE \+ (\d+)/, (_, n) => String(base + Number(n)));
  const numbered = inserts.map(({ pos, text }) => ({ pos, text: number(text) }));
  return withInserts(code, numbered, 'ran', importFrom);
}

/** Lines of the source by offset in the compiled code. */
function linesOf(path, code) {
  const map = `${path}.map`;
  if (!existsSync(map)) throw new Error(`${map} is missing: compile with source maps`);
  const source = new SourceMap(JSON.parse(readFileSync(map, 'utf8')));
  return (offset) => {
    const before = code.slice(0, offset).split('\n');
    return source.findEntry(before.length - 1, before[before.length - 1].length).originalLine + 1;
  };
}

function main(dist) {
  const all = [];
  for (const room of roomsThat('counted')) {
    for (const path of [...modules(join(dist, room))].sort()) {
      if (relative(dist, path).split('/')[1] === ONLOOKERS) continue;
      const code = readFileSync(path, 'utf8');
      if (code.startsWith('import { ran }')) throw new Error(`${path}: is counted already`);
      const found = countsOf(code);
      if (found.places.length === 0) continue;
      const lineOf = linesOf(path, code);
      const up = '../'.repeat(relative(dist, path).split('/').length - 1);
      writeFileSync(path, counted(code, all.length, found, `${up}machine/ran.js`));
      const file = `src/${relative(dist, path).replace(/\.js$/, '.ts')}`;
      for (const { start, ...place } of found.places) {
        all.push({ file, line: lineOf(start), ...place });
      }
    }
  }
  const lines = all.map((place) => `  ${JSON.stringify(place)},`).join('\n');
  writeFileSync(
    join(dist, 'machine/ran.js'),
    `export const ran = new Uint8Array(${all.length});\n`,
  );
  writeFileSync(join(dist, 'machine/places.js'), `export const places = [\n${lines}\n];\n`);
}

if (process.argv[2]) main(process.argv[2]);
