import { fileURLToPath } from 'node:url';
import { defineConfig } from 'vitest/config';
import { COMPILED_CODE, compiled } from './test/support/compiled.ts';

/** Coverage is measured on the source. */
const covers = process.argv.includes('--coverage');

export default defineConfig({
  plugins: covers ? [] : [compiled()],
  // scenarios in JavaScript are written against the package, and run on the source here
  resolve: {
    alias: [
      {
        find: /^softleaf\/(\w+)$/,
        replacement: fileURLToPath(new URL('src/$1/index.ts', import.meta.url)),
      },
    ],
  },
  test: {
    environment: 'node',
    env: covers ? { SOFTLEAF_COVERAGE: '1' } : {},
    // on two processors the default is one
    maxWorkers: '100%',
    // what one file of tests has compiled and made fast, the next one uses
    isolate: false,
    // programs leave much behind, and all of it at once
    execArgv: ['--max-semi-space-size=32', '--min-semi-space-size=16'],
    include: ['test/**/*.test.ts'],
    // its modules load the compiled model, which is another copy than the one that is measured
    exclude: covers ? ['test/checker/vacuous.test.ts'] : [],
    server: { deps: { external: COMPILED_CODE } },
    globalSetup: ['test/support/build.ts'],
    // for what hangs: a machine may be busy
    testTimeout: 1_800_000,
    hookTimeout: 1_800_000,
    coverage: {
      provider: 'v8',
      include: ['src/hmm/**', 'src/mm/**'],
      reporter: ['text', 'html', 'json-summary'],
      // what only races reach, too: test/hmm alone comes there
      thresholds: {
        'src/hmm/**': { branches: 100, lines: 100, functions: 100, statements: 100 },
        // what was reached when they were set: they may only rise
        'src/mm/*.ts': { branches: 92, lines: 98, functions: 99, statements: 96 },
        'src/mm/look/**': { branches: 84, lines: 92, functions: 98, statements: 89 },
      },
    },
  },
});
