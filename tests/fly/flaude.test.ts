import { execFile } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { startTestFly, TEST_IMAGES, TEST_TOKEN, type TestFly } from '../support/fly.ts';

// The PyPI package `flaude` as its users run it, in a virtual environment of its own that is gone afterwards.
const VERSION = '0.6.1';
const run = promisify(execFile);
let folder = '';
let cloud: TestFly | undefined;
let missing: string | null = null;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'trademind-flaude-'));
  try {
    const { stdout } = await run('python3', ['-c', 'import sys; print(sys.version_info >= (3, 11))']);
    if (stdout.trim() !== 'True') throw new Error('flaude needs Python 3.11');
    await run('python3', ['-m', 'venv', folder], { timeout: 60_000 });
    await run(join(folder, 'bin/pip'), ['install', '--quiet', '--disable-pip-version-check', '--retries', '1', '--timeout', '10', `flaude==${VERSION}`], { timeout: 90_000 });
  } catch (error) {
    missing = `no Python with pip and flaude here: ${(error as Error).message.split('\n')[0] ?? ''}`;
    return;
  }
  cloud = await startTestFly({ runtime: 'process' });
}, 480_000);
afterAll(async () => {
  await cloud?.close();
  await rm(folder, { recursive: true, force: true });
});

test('flaude (PyPI) makes, stops, starts, updates and destroys a machine, and is told the exit code of one that fails', async ({ skip }) => {
  if (!cloud) return skip(missing ?? '');
  const { stdout } = await run(join(folder, 'bin/python'), [join(import.meta.dirname, 'flaude_journey.py')], {
    timeout: 60_000,
    env: {
      PATH: process.env['PATH'], FLY_API: cloud.url, FLY_PLATFORM_API: new URL(cloud.url).origin, FLY_API_TOKEN: TEST_TOKEN, IMAGE: TEST_IMAGES.tiny, BROKEN_IMAGE: TEST_IMAGES.broken,
    },
  });
  expect(JSON.parse(stdout)).toEqual({
    app: 'flaude-journey', same: true, // a stop sends SIGINT unless the machine's configuration says otherwise
    stopped: 'stopped', exit_code: 130, id_kept: true, version_changed: true, volumes: 0,
    failed: { kind: 'MachineExitError', exit_code: 3, text: expect.stringContaining('code=3') as string },
  });
  expect((await cloud.admin.audit()).overlaps).toEqual([]);
}, 240_000);
