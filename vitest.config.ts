import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: ['{packages,machine-image,control-plane,cli,web,infra,local-cloud,tests,bench}/**/*.test.{ts,tsx}'],
    globalSetup: ['tests/support/global-setup.ts'],
    setupFiles: ['tests/support/property-seed.ts'],
    testTimeout: 30_000,
    hookTimeout: 60_000,
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
