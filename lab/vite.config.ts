import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { brotliCompressSync, gzipSync } from 'node:zlib';
import { defineConfig, type Plugin } from 'vite';
import { readModel } from '../scripts/kernel-map.ts';

const root = fileURLToPath(new URL('..', import.meta.url));
const BUILT = fileURLToPath(new URL('../dist/lab', import.meta.url));
const MAP = 'virtual:kernel-map';

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

/** Puts beside each file its compressed forms, where they are smaller: a server need not make them. */
function compressed(): Plugin {
  return {
    name: 'compressed',
    apply: 'build',
    enforce: 'post',
    closeBundle() {
      for (const entry of readdirSync(BUILT, { recursive: true, encoding: 'utf8' })) {
        if (!/\.(html|js|css|svg|json|webmanifest)$/.test(entry)) continue;
        const path = join(BUILT, entry);
        const bytes = readFileSync(path);
        for (const [ending, small] of [
          ['.br', brotliCompressSync(bytes)],
          ['.gz', gzipSync(bytes, { level: 9 })],
        ] as const)
          if (small.length < bytes.length) writeFileSync(path + ending, small);
      }
    },
  };
}

export default defineConfig({
  root: fileURLToPath(new URL('.', import.meta.url)),
  // works from any path
  base: './',
  plugins: [kernelMap(), compressed()],
  build: {
    outDir: BUILT,
    emptyOutDir: true,
    target: 'es2023',
    rolldownOptions: {
      // the model's functions are shown by their names
      output: { keepNames: true },
    },
  },
});
