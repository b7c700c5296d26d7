import { spawn } from 'node:child_process';
import { globSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { ChaosArea } from '../frame/chaos.ts';

const ROOT = join(import.meta.dirname, '../..');
const FILES = '{packages,machine-image,control-plane,cli,web,local-cloud,tests}/**/*.test.{ts,tsx}';

/** As vitest's JSON reporter writes it. */
interface Written { testResults: { name: string; message: string; assertionResults: { fullName: string; status: string; failureMessages: string[] }[] }[] }

/** Every file with a property in it. */
function propertyFiles(): string[] {
  return globSync(FILES, { cwd: ROOT, exclude: (name) => name.includes('node_modules') }).filter((file) => readFileSync(join(ROOT, file), 'utf8').includes("from 'fast-check'")).toSorted();
}

/** Every property of the tests, round after round, each round with examples that no run has drawn before: `npm test` always draws the same. */
export const area: ChaosArea = {
  what: 'every property of the tests, with other examples in each round',
  defaultMinutes: 10,
  async run({ minutes, random, say }) {
    const files = propertyFiles();
    const violations: string[] = [];
    const folder = mkdtempSync(join(tmpdir(), 'trademind-properties-'));
    const end = performance.now() + minutes * 60_000;
    let rounds = 0;
    let tests = 0;
    try {
      do {
        const seed = Math.floor(random() * 2 ** 31);
        const { results, failed } = await round(files, seed, join(folder, `${rounds}.json`));
        rounds += 1;
        tests += results;
        violations.push(...failed);
        say(`round ${rounds}, PROPERTY_SEED=${seed}: ${results} tests, ${failed.length} failed`);
        for (const one of failed) say(one);
      } while (performance.now() < end);
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
    return { harm: { rounds }, violations, recoverySeconds: [], checked: [`${tests} runs of the tests of ${files.length} files`] };
  },
};

async function round(files: readonly string[], seed: number, output: string): Promise<{ results: number; failed: string[] }> {
  const child = spawn(process.execPath, ['node_modules/vitest/vitest.mjs', 'run', '--reporter=json', `--outputFile=${output}`, ...files], {
    cwd: ROOT, env: { ...process.env, PROPERTY_SEED: String(seed) }, stdio: ['ignore', 'ignore', 'inherit'],
  });
  await new Promise((resolve, reject) => { child.once('exit', resolve).once('error', reject); });
  const { testResults } = JSON.parse(readFileSync(output, 'utf8')) as Written;
  const failed = testResults.flatMap((file) => [
    ...(file.assertionResults.length === 0 ? [`${file.name} did not load: ${file.message}`] : []),
    ...file.assertionResults.filter(({ status }) => status === 'failed').map((test) => `PROPERTY_SEED=${seed}: ${test.fullName}\n${test.failureMessages.join('\n').slice(0, 2_000)}`),
  ]);
  return { results: testResults.reduce((sum, file) => sum + file.assertionResults.length, 0), failed };
}
