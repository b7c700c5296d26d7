import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: ['{packages,machine-image,control-plane,cli,web,infra,local-cloud,tests,bench}/**/*.test.{ts,tsx}'],
    globalSetup: ['tests/support/global-setup.ts'],
    setupFiles: ['tests/support/property-seed.ts'],
    // Bounds for what hangs, far above what anything takes: on a loaded machine all takes several times as long, and a stall of some seconds fails nothing.
    testTimeout: 90_000,
    hookTimeout: 120_000,
    expect: { poll: { timeout: 30_000 } },
    // many tests wait for processes and sockets: one more than cores keeps both busy
    maxWorkers: 3,
    coverage: {
      provider: 'v8',
      include: ['{packages,machine-image,control-plane,cli,web,infra,local-cloud}/**/*.{ts,tsx}'],
      exclude: ['**/*.test.{ts,tsx}', '**/main.ts'],
      reporter: ['json-summary'],
      reportOnFailure: true,
    },
  },
});
