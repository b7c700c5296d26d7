import { defineConfig } from 'vitest/config';

// Without the database that the other tests share: the architecture is read from the sources alone.
export default defineConfig({ test: { include: ['tests/architecture/**/*.test.ts'], testTimeout: 60_000 } });
