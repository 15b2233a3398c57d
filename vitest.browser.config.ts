import { defineConfig } from 'vitest/config';

/** Tests in a browser that is installed: Chromium, as built by whoever made the system. */
export default defineConfig({
  test: {
    environment: 'node',
    include: ['test/browser/**/*.browser.ts'],
    globalSetup: ['test/support/build.ts', 'test/support/build-lab.ts'],
    // for what hangs: a machine may be busy. Nothing else is given a time
    // a browser's own workers start late at times: such a test has another try
    retry: 2,
    expect: { poll: { timeout: 60_000 } },
    testTimeout: 180_000,
    hookTimeout: 180_000,
  },
});
