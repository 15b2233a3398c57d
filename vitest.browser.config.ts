import { defineConfig } from 'vitest/config';

/** Tests in a browser that is installed: Chromium, as built by whoever made the system. */
export default defineConfig({
  test: {
    environment: 'node',
    include: ['test/browser/**/*.browser.ts'],
    globalSetup: ['test/support/build.ts', 'test/support/build-lab.ts'],
    testTimeout: 120_000,
    hookTimeout: 60_000,
  },
});
