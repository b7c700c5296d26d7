import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: ['{packages,machine-image,control-plane,cli,web,infra,local-cloud,tests,bench}/**/*.test.{ts,tsx}'],
    globalSetup: ['tests/support/global-setup.ts'],
    setupFiles: ['tests/support/property-seed.ts'],
    // far beyond what any of them takes: a stall of a busy machine is no failure, and waiting longer makes no test weaker
    testTimeout: 120_000,
    hookTimeout: 180_000,
    // many tests wait for processes and sockets: one more than cores keeps both busy
    maxWorkers: 3,
    coverage: {
      provider: 'v8',
      include: ['{packages,machine-image,control-plane,cli,web,infra,local-cloud}/**/*.{ts,tsx}'],
      exclude: ['**/*.test.{ts,tsx}', '**/main.ts'],
      reporter: ['json-summary'],
      reportOnFailure: true,
    },
    // a poll ends when what it waits for is there; one second is no bound for that
    expect: { poll: { timeout: 60_000 } },
  },
});
