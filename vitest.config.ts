import { fileURLToPath } from 'node:url';
import { defineConfig } from 'vitest/config';

export default defineConfig({
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
    // on two processors the default is one
    maxWorkers: '100%',
    include: ['test/**/*.test.ts'],
    globalSetup: ['test/support/build.ts'],
    testTimeout: 60_000,
    hookTimeout: 60_000,
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
