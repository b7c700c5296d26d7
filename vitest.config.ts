import { defineConfig } from 'vitest/config';
import { BaseSequencer, type TestSpecification } from 'vitest/node';

/** What starts processes takes longest, whatever the size of its file: it begins first, so that none of it is left alone at the end. */
class ProcessesFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const sorted = await super.sort(files);
    const rank = ({ moduleId }: TestSpecification) => (moduleId.includes('/tests/journeys/') ? 0 : moduleId.includes('/tests/') ? 1 : 2);
    return sorted.toSorted((a, b) => rank(a) - rank(b));
  }
}

export default defineConfig({
  test: {
    include: ['{packages,machine-image,control-plane,cli,web,infra,local-cloud,tests,bench}/**/*.test.{ts,tsx}'],
    globalSetup: ['tests/support/global-setup.ts'],
    setupFiles: ['tests/support/property-seed.ts'],
    // far beyond what any of them takes: a stall of a busy machine is no failure, and waiting longer makes no test weaker
    testTimeout: 120_000,
    hookTimeout: 180_000,
    sequence: { sequencer: ProcessesFirst },
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
