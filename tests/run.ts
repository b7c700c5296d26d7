// `npm test`: every test of the house in one run, with coverage, closing with one plain line.
//   npm test                      everything
//   npm test -- packages/engine   only what the words match (vitest's own arguments pass through)
import { existsSync, readFileSync, rmSync } from 'node:fs';
import { join, relative } from 'node:path';
import { startVitest } from 'vitest/node';
import { ARROWS } from './architecture/rules.ts';

const ROOT = join(import.meta.dirname, '..');
const SUMMARY = join(ROOT, 'coverage', 'coverage-summary.json');

/** Lines that the tests ran in their own process, per room; what runs in a process of its own (a killed machine, say) is not counted. */
function coverageByRoom(): string {
  const files = JSON.parse(readFileSync(SUMMARY, 'utf8')) as Record<string, { lines: { total: number; covered: number } }>;
  const rows = Object.keys(ARROWS).map((room) => {
    const lines = Object.entries(files).filter(([path]) => relative(ROOT, path).startsWith(`${room}/`)).map(([, file]) => file.lines);
    const total = lines.reduce((sum, one) => sum + one.total, 0);
    const covered = lines.reduce((sum, one) => sum + one.covered, 0);
    return `  ${room.padEnd(22)} ${total === 0 ? '-' : ((100 * covered) / total).toFixed(1).padStart(5)} % of ${total} lines\n`;
  });
  return `Coverage\n${rows.join('')}`;
}

rmSync(SUMMARY, { force: true });
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
if (existsSync(SUMMARY)) process.stdout.write(coverageByRoom());
process.stdout.write(`${count.passed} passed, ${count.failed + broken} failed, ${count.skipped} skipped\n`);
process.exit(count.failed + broken > 0 || count.passed === 0 ? 1 : 0);
