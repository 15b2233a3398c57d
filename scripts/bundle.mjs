/**
 * Puts the compiled modules together: what starts a process, a thread or a package's entry stays where it is, and all that
 * they share goes into few files, in `chunks/`. Half of the time of a small check was to find and to read some hundred
 * modules, in each thread once more.
 *
 * A module still has the address that it had (`import.meta.url`), and the declarations stay.
 *
 * Usage: node scripts/bundle.mjs DIST
 */
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';
import { parse } from 'acorn';
import { rolldown } from 'rolldown';
import { modules, within } from './lib/compiled.mjs';
import { ENTRIES, ROOMS, roomsThat } from './rooms.mjs';

/** What is there by its own name, beside the rooms' entries. */
const STARTS = [
  'index.js',
  'cli/main.js',
  'cli/cli.js',
  'cli/module-hooks.js',
  'cli/check/worker.js',
  // code that others have written tells it what it does
  'checker/own-code.js',
];
/** What only tests, scripts and benchmarks reach for. */
const INNER = [
  'machine/loops.js',
  'machine/machine.js',
  'straight/machine/loops.js',
  'straight/machine/machine.js',
  'mm/fork.js',
  'checker/pairs.js',
  'recording/link.js',
  'recording/recorder.js',
  'cli/check/jobs.js',
  'cli/check/pool.js',
  'cli/lab-server.js',
];

/** Where the modules lay, in a module that has gone into a chunk. */
const BUILT = '__BUILT__';

function entriesOf(dist) {
  const rooms = [
    ...ROOMS.map(({ name }) => name),
    ...roomsThat('straight').map((name) => `straight/${name}`),
  ];
  const ofRooms = rooms.flatMap((room) =>
    ENTRIES.map((entry) => `${room}/${entry.replace(/\.ts$/, '.js')}`),
  );
  return [...STARTS, ...INNER, ...ofRooms.filter((name) => existsSync(join(dist, name)))];
}

/** The modules as they were compiled, but that each says where it lay. */
const asCompiled = (dist) => ({
  name: 'as compiled',
  load(id) {
    if (!id.startsWith(dist)) return null;
    const code = readFileSync(id, 'utf8');
    const address = `new URL(${JSON.stringify(relative(dist, id))}, ${BUILT}).href`;
    return { code: withAddress(code, address), map: readFileSync(`${id}.map`, 'utf8') };
  },
});

/** A module in which each `import.meta.url` is another text. */
function withAddress(code, address) {
  if (!code.includes('import.meta.url')) return code;
  let out = '';
  let at = 0;
  for (const node of within(parse(code, { ecmaVersion: 'latest', sourceType: 'module' }))) {
    if (node.type !== 'MemberExpression' || node.object.type !== 'MetaProperty') continue;
    out += code.slice(at, node.start) + address;
    at = node.end;
  }
  return out + code.slice(at);
}

/** The code of a chunk, which knows where modules lay from where it lies itself. */
function addressed({ code, fileName }) {
  const up = '../'.repeat(fileName.split('/').length - 1) || './';
  return code.replaceAll(BUILT, `new URL(${JSON.stringify(up)}, import.meta.url)`);
}

async function main(dist) {
  const names = entriesOf(dist);
  const bundle = await rolldown({
    input: Object.fromEntries(names.map((name) => [name.replace(/\.js$/, ''), join(dist, name)])),
    // the rooms below the command line run in a browser, too
    platform: 'neutral',
    external: /^[^./]/,
    // each runs as it is written
    treeshake: false,
    plugins: [asCompiled(dist)],
  });
  const { output } = await bundle.generate({
    format: 'esm',
    entryFileNames: '[name].js',
    chunkFileNames: 'chunks/[name].js',
    sourcemap: true,
  });
  await bundle.close();
  for (const folder of [...ROOMS.map(({ name }) => name), 'straight']) {
    for (const path of modules(join(dist, folder))) {
      rmSync(path);
      rmSync(`${path}.map`);
    }
  }
  for (const one of output) {
    const path = join(dist, one.fileName);
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, one.type === 'chunk' ? addressed(one) : one.source);
  }
}

if (process.argv[1]?.endsWith('bundle.mjs') && process.argv[2])
  await main(resolve(process.argv[2]));
