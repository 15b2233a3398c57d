import { defineConfig } from 'vitest/config';

/** Tests in a browser that is installed: Chromium, as built by whoever made the system. */
export default defineConfig({
  test: {
    environment: 'node',
    include: ['test/browser/**/*.browser.ts'],
    globalSetup: ['test/support/build.ts', 'test/support/build-lab.ts'],
    // on two processors the default is one
    maxWorkers: '100%',
    // for what hangs: a machine may be busy, and a browser's own workers start late at times
    expect: { poll: { timeout: 540_000 } },
    testTimeout: 600_000,
    hookTimeout: 600_000,
  },
});
