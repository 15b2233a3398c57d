import { fileURLToPath } from 'node:url';
import { defineConfig, type Plugin } from 'vite';
import { readModel } from '../scripts/kernel-map.ts';
import { offline } from './offline/plugin.ts';

const root = fileURLToPath(new URL('..', import.meta.url));
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

export default defineConfig({
  root: fileURLToPath(new URL('.', import.meta.url)),
  // works from any path
  base: './',
  plugins: [kernelMap(), offline()],
  build: {
    outDir: fileURLToPath(new URL('../build/lab', import.meta.url)),
    emptyOutDir: true,
    target: 'es2023',
    rolldownOptions: {
      // the model's functions are shown by their names
      output: { keepNames: true },
    },
  },
});
