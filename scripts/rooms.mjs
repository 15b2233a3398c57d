/**
 * The rooms of the house, in their order: each imports only from itself and from those before it. What
 * depends on that reads it here: the linter's rules (biome.json, which `npm run rooms` writes),
 * test/architecture.test.ts, scripts/straight.mjs, scripts/count.mjs, scripts/kernel-map.ts.
 *
 * Usage: node scripts/rooms.mjs BIOME_JSON: writes the rules of the rooms into the linter's configuration
 */
import { readFileSync, writeFileSync } from 'node:fs';

/**
 * `model`: no dependency, nothing of Node's: it runs in a browser too. `files`: it imports the files of
 * other rooms; one that does not, their entries. `mirrors`: its modelled functions say what they mirror.
 * `straight`: it is compiled without yields, too. `counted`: the checker notes what of it has run.
 */
export const ROOMS = [
  { name: 'machine', model: true, files: true, straight: true },
  { name: 'mm', model: true, files: true, mirrors: true, straight: true, counted: true },
  { name: 'hmm', model: true, files: true, mirrors: true, straight: true, counted: true },
  { name: 'drivers', model: true, files: true, mirrors: true, straight: true },
  { name: 'program', model: true, files: true, straight: true },
  { name: 'selftest', model: true, files: true },
  { name: 'checker', model: true },
  { name: 'recording', model: true },
  { name: 'kernel' },
  { name: 'cli' },
];

/**
 * The entries of a room: what the package offers; what only the rooms above use; what the command line
 * needs at its start, and loads no model.
 */
export const ENTRIES = ['index.ts', 'internal.ts', 'light.ts', 'format.ts'];

/** The folder of a room whose modules look at the state and change nothing. */
export const ONLOOKERS = 'look';

/**
 * Names of the rooms that are so, in order.
 * @param {'model' | 'files' | 'mirrors' | 'straight' | 'counted'} what
 */
export const roomsThat = (what) => ROOMS.filter((room) => room[what]).map(({ name }) => name);
const NAMES = ROOMS.map(({ name }) => name);

/** A room that imports from every room but `cli`; it lies outside `src/`. */
const LAB = 'lab';

/** Globals of Node's and of a page's: the model knows neither. */
const GLOBALS = [
  'process',
  'Buffer',
  'require',
  '__dirname',
  '__filename',
  'global',
  'window',
  'document',
];

const into = (room) => [`**/${room}`, `**/${room}/**`];
const sources = (room) => `**/src/${room}/**`;

/** How a room imports others: their files, or their entries. */
function style({ name, files }) {
  const entries = ENTRIES.map((entry) => `**/${entry}`);
  if (files) {
    const message = `src/${name} imports the files of other rooms, not their entries.`;
    return { group: [...entries, '!./**'], message };
  }
  const others = [...NAMES, LAB].filter((other) => other !== name);
  const group = [...others.map((room) => `**/${room}/**`), ...entries.map((path) => `!${path}`)];
  return { group, message: `Of another room only its entries: ${ENTRIES.join(', ')}.` };
}

/** What a room must not import. */
function restricted(room) {
  const { name, model } = room;
  const later = [...NAMES.slice(NAMES.indexOf(name) + 1), LAB];
  const patterns = [
    {
      group: later.flatMap(into),
      message: `src/${name} may import only from itself and the rooms before it: ${NAMES.join(', ')}, ${LAB}.`,
    },
  ];
  patterns.push(style(room));
  if (model) {
    patterns.push({
      group: ['*', '@*/**', '!.', '!..'],
      message: 'The model has no dependency: only relative imports.',
    });
  }
  return patterns;
}

/** The linter's rules for some paths. */
const rules = (includes, { style, correctness }) => ({
  includes,
  linter: { rules: { ...(correctness && { correctness }), ...(style && { style }) } },
});
const imports = (patterns) => ({
  style: { noRestrictedImports: { level: 'error', options: { patterns } } },
});

/** The overrides of biome.json that hold the rooms. */
export function lintRules() {
  const message = 'The model runs unchanged in Node and in a browser.';
  const deniedGlobals = Object.fromEntries(GLOBALS.map((global) => [global, message]));
  const model = roomsThat('model').map(sources);
  return [
    rules([...model, `**/${LAB}/src/**`], { correctness: { noNodejsModules: 'error' } }),
    rules(model, {
      style: { noRestrictedGlobals: { level: 'error', options: { deniedGlobals } } },
    }),
    ...ROOMS.map((room) => rules([sources(room.name)], imports(restricted(room)))),
    rules(
      [`**/${LAB}/src/**`],
      imports([
        { group: into('cli'), message: 'The lab may import from every room but cli.' },
        style({ name: LAB }),
      ]),
    ),
  ];
}

/** A configuration with the rules of the rooms as they are now; the rest of it stays. */
export function withRooms(config) {
  const others = config.overrides.filter(
    ({ includes }) => !includes.some((path) => path.includes('/src/')),
  );
  return { ...config, overrides: [...others, ...lintRules()] };
}

// count.mjs and others import this file: it writes only as a program of its own
const [script, file] = process.argv.slice(1);
if (file && script.endsWith('rooms.mjs')) {
  const config = withRooms(JSON.parse(readFileSync(file, 'utf8')));
  writeFileSync(file, `${JSON.stringify(config, null, 2)}\n`);
}
