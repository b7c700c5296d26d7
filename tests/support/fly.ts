import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { createFlyClient, machineConfig, type FlyClient, type MachineConfig } from '../../packages/fly/index.ts';
import { startFly, type FlyStandInOptions } from '../../local-cloud/fly/start.ts';
import { flyStandInAdmin, type FlyStandInAdmin } from './fly-stand-in.ts';

export type { Machine, MachineConfig } from '../../packages/fly/index.ts';

export const TEST_TOKEN = 'test-token-of-the-stand-in';
const digest = (character: string) => `registry.local/trademind-machine@sha256:${character.repeat(64)}`;
/** `tiny`: tests/support/tiny-machine.mjs. `broken`: ends at once with exit code 3. */
export const TEST_IMAGES = { tiny: digest('a'), broken: digest('b') } as const;
const root = join(import.meta.dirname, '../..');
const IMAGES = {
  [TEST_IMAGES.tiny]: { command: ['node', 'tests/support/tiny-machine.mjs'], cwd: root },
  [TEST_IMAGES.broken]: { command: ['node', '-e', 'process.exit(3)'] },
};

export interface TestFly {
  url: string;
  edgeUrl: string;
  dataDir: string;
  fly: FlyClient;
  admin: FlyStandInAdmin;
  /** A client with another token, e.g. one of `admin.token(name)`. */
  clientOf(token: string): FlyClient;
  /** Ends it as a host that goes down, and removes its folder unless `keep`. */
  close(options?: { keep?: boolean }): Promise<void>;
}

export const tempFolder = (): Promise<string> => mkdtemp(join(tmpdir(), 'trademind-fly-'));

/** The Fly stand-in inside the test's own process, with a client. Simulated and without durations unless told. */
export async function startTestFly(options: Partial<FlyStandInOptions> = {}): Promise<TestFly> {
  const dataDir = options.dataDir ?? await tempFolder();
  const standIn = await startFly({ port: 0, edgePort: 0, token: TEST_TOKEN, runtime: 'simulated', images: IMAGES, latency: 0, rateLimits: false, ...options, dataDir });
  return {
    url: standIn.url, edgeUrl: String(standIn['edgeUrl']), dataDir, fly: createFlyClient({ baseUrl: standIn.url, token: TEST_TOKEN }), admin: flyStandInAdmin(standIn.url, TEST_TOKEN),
    clientOf: (token) => createFlyClient({ baseUrl: standIn.url, token }),
    close: async ({ keep = false } = {}) => {
      await standIn.close();
      if (!keep) await rm(dataDir, { recursive: true, force: true });
    },
  };
}

export interface SpawnedFly extends Omit<TestFly, 'close'> {
  child: ChildProcess;
  /** Ends the process by this signal and waits until it is gone. The folder stays. */
  kill(signal: NodeJS.Signals): Promise<void>;
}

/** The Fly stand-in as a process of its own, as `local-cloud fly` starts it: with the process runtime and without rate limits unless told otherwise. `args`: more of its flags. */
export async function spawnTestFly(dataDir: string, args: readonly string[] = [], options: { rateLimits?: boolean } = {}): Promise<SpawnedFly> {
  const images = join(dataDir, 'images.json');
  await writeFile(images, JSON.stringify(IMAGES));
  const child = spawn(process.execPath, [fileURLToPath(new URL('./fly-main.ts', import.meta.url)), '--port', '0', '--edge-port', '0', '--data', dataDir, '--images', images, ...(options.rateLimits ? [] : ['--no-rate-limits']), ...args], {
    env: { FLY_STAND_IN_TOKEN: TEST_TOKEN, SECRET_OF_THE_PARENT: 'must not be seen' }, stdio: ['ignore', 'pipe', 'inherit'],
  });
  const lines = createInterface({ input: child.stdout });
  const [line] = await once(lines, 'line') as [string];
  const said = JSON.parse(line) as { ready: boolean; url: string; edgeUrl: string };
  if (!said.ready) throw new Error(line);
  return {
    child, dataDir, url: said.url, edgeUrl: said.edgeUrl, fly: createFlyClient({ baseUrl: said.url, token: TEST_TOKEN }), admin: flyStandInAdmin(said.url, TEST_TOKEN),
    clientOf: (token) => createFlyClient({ baseUrl: said.url, token }),
    kill: async (signal) => {
      const exit = once(child, 'exit');
      child.kill(signal);
      await exit;
    },
  };
}

/** A user's machine as the control plane would ask for it, of a test image. */
export function testMachine(volumeId: string, change: Partial<MachineConfig> = {}, image: string = TEST_IMAGES.tiny): MachineConfig {
  return {
    ...machineConfig({ image, env: { DATA_DIR: '/data' }, guest: { cpuKind: 'shared', cpus: 1, memoryMb: 512 }, volumeId, metadata: { owner: 'test' } }),
    ...change,
  };
}

/** Repeats a look until it answers something other than undefined; after `withinMs` it throws what was seen last. Time in which this process did not run at all is not counted. */
export async function eventually<T>(look: () => Promise<T | undefined>, withinMs = 60_000): Promise<T> {
  let end = Date.now() + withinMs;
  let last: unknown = new Error('nothing was seen in time');
  while (Date.now() < end) {
    try {
      const seen = await look();
      if (seen !== undefined) return seen;
    } catch (error) {
      last = error;
    }
    const slept = Date.now();
    await new Promise((resolve) => { setTimeout(resolve, 30); });
    end += Math.max(0, Date.now() - slept - 1000);
  }
  throw last;
}
