// `npm test`: every test of the house in one run, with coverage, closing with one plain line.
//   npm test                      everything
//   npm test -- packages/engine   only what the words match (vitest's own arguments pass through)
import { startVitest } from 'vitest/node';

const args = process.argv.slice(2);
const filters = args.filter((arg) => !arg.startsWith('-'));
const vitest = await startVitest('test', filters, {
  watch: false,
  run: true,
  coverage: { enabled: filters.length === 0 },
});

const count = { passed: 0, failed: 0, skipped: 0 };
for (const module of vitest.state.getTestModules()) {
  for (const test of module.children.allTests()) count[test.result().state as keyof typeof count] += 1;
}
// A file that does not load, or an error outside every test, is a failure too, even if each test that ran passed.
const broken = vitest.state.getTestModules().filter((module) => module.errors().length > 0).length + vitest.state.getUnhandledErrors().length;
await vitest.close();
process.stdout.write(`${count.passed} passed, ${count.failed + broken} failed, ${count.skipped} skipped\n`);
process.exit(count.failed + broken > 0 || count.passed === 0 ? 1 : 0);
