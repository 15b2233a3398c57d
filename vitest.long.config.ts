import { defineConfig } from 'vitest/config';
import { COMPILED_CODE, compiled } from './test/support/compiled.ts';

export default defineConfig({
  plugins: [compiled()],
  test: {
    environment: 'node',
    include: ['test/**/*.long.ts'],
    globalSetup: ['test/support/build.ts'],
    server: { deps: { external: COMPILED_CODE } },
    testTimeout: 24 * 3600_000,
    hookTimeout: 600_000,
  },
});
