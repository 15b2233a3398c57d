import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    environment: 'node',
    include: ['test/**/*.test.ts'],
    globalSetup: ['test/support/build.ts'],
    testTimeout: 60_000,
    hookTimeout: 60_000,
    coverage: {
      provider: 'v8',
      include: ['src/hmm/**'],
      reporter: ['text', 'html', 'json-summary'],
      // what only races reach, too: test/hmm alone comes there
      thresholds: {
        'src/hmm/**': { branches: 100, lines: 100, functions: 100, statements: 100 },
      },
    },
  },
});
