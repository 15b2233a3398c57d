import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { defineConfig, type Plugin } from 'vite';
import { readModel } from '../scripts/kernel-map.ts';
import { readPosted } from './as-posted.ts';
import { compressed } from './compressed.ts';
import { licenses } from './licenses.ts';
import { offline } from './offline/plugin.ts';
import { policy } from './policy.ts';

const root = fileURLToPath(new URL('..', import.meta.url));
const BUILT = fileURLToPath(new URL('../dist/lab', import.meta.url));
const MAP = 'virtual:kernel-map';
const POSTED = 'virtual:as-posted';

/** What each modelled function mirrors, as docs/kernel-map.md says it. */
function kernelMap(): Plugin {
  return {
    name: 'kernel-map',
    resolveId: (id) => (id === MAP ? `\0${MAP}` : undefined),
    load(id) {
      if (id !== `\0${MAP}`) return undefined;
      const map: Record<string, { kernel: string; file: string; how: string }> = {};
      for (const { name, mirrors, status, note } of readModel(root)) {
        const [first] = mirrors ?? [];
        if (!first || !status) continue;
        const how = note ? `${status}: ${note}` : status;
        map[name] ??= { kernel: first.functions, file: first.kernelFile, how };
      }
      return `export default ${JSON.stringify(map)};`;
    },
  };
}

/** The mistakes of the posted patch, as docs/as-posted.md tells of them. */
function asPosted(): Plugin {
  return {
    name: 'as-posted',
    resolveId: (id) => (id === POSTED ? `\0${POSTED}` : undefined),
    load(id) {
      if (id !== `\0${POSTED}`) return undefined;
      const file = fileURLToPath(new URL('../docs/as-posted.md', import.meta.url));
      this.addWatchFile(file);
      return `export default ${JSON.stringify(readPosted(readFileSync(file, 'utf8')))};`;
    },
  };
}

/**
 * What is needed at first and by parts that come later: alone, each would be a request. Nothing of it may
 * import what is not of it, but for the rooms below: two files that need each other cannot both come first.
 */
const PAGE =
  /\/lab\/src\/(copy|dialog|gallery|json|mistake|owned|reading|posted|scenarios|theme|compare\/comparing|store\/\w+|timeline\/(lanes|sight))\.tsx?$|\/src\/(checker\/plan|drivers\/index|recording\/[\w-]+)\.ts$|\/node_modules\/(@?preact|jsonc-parser)\/|virtual:as-posted|vite\/preload-helper/;

const notices = licenses(root);

// the model's functions are shown by their names
const output = { keepNames: true };

export default defineConfig({
  root: fileURLToPath(new URL('.', import.meta.url)),
  // works from any path
  base: './',
  plugins: [kernelMap(), asPosted(), policy(), notices.page, offline(), compressed(BUILT)],
  // scenarios in JavaScript are written against the package
  resolve: {
    alias: [
      {
        find: /^softleaf\/(\w+)$/,
        replacement: fileURLToPath(new URL('../src/$1/index.ts', import.meta.url)),
      },
    ],
  },
  worker: { format: 'es', plugins: () => [notices.worker], rolldownOptions: { output } },
  build: {
    outDir: BUILT,
    emptyOutDir: true,
    target: 'es2023',
    rolldownOptions: {
      output: {
        ...output,
        // what is needed at first, and by parts that come later, is one request
        codeSplitting: {
          includeDependenciesRecursively: false,
          groups: [{ name: 'page', test: PAGE }],
        },
      },
    },
  },
});
