import { defineConfig } from 'vitest/config';

/** Tests in a browser that is installed: Chromium, as built by whoever made the system. */
export default defineConfig({
  test: {
    environment: 'node',
    include: ['test/browser/**/*.browser.ts'],
    globalSetup: ['test/support/build.ts', 'test/support/build-lab.ts'],
    // for what hangs: a machine may be busy. Nothing else is given a time
    expect: { poll: { timeout: 1_800_000 } },
    testTimeout: 1_800_000,
    hookTimeout: 1_800_000,
  },
});
