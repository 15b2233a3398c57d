import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    environment: 'node',
    include: ['test/**/*.long.ts'],
    testTimeout: 24 * 3600_000,
    hookTimeout: 600_000,
  },
});
