import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';

/** Node's own settings on a machine: little room for young objects, which a machine hardly makes. The optimising compiler stays on. */
export const NODE_FLAGS: readonly string[] = ['--optimize-for-size', '--max-semi-space-size=1', '--disable-warning=ExperimentalWarning'];

/**
 * Environment of every machine, beside its contract (wherever it runs). The C library keeps what was freed unless it is told not to: 20 MB after a start, and an arena for each
 * thread.
 */
export const MACHINE_ENV: Readonly<Record<string, string>> = {
  NODE_ENV: 'production', MALLOC_ARENA_MAX: '1', MALLOC_MMAP_THRESHOLD_: '65536', MALLOC_TRIM_THRESHOLD_: '65536', MALLOC_TOP_PAD_: '65536',
};

/** So long the machine runs for its code to be compiled and kept: it has then begun all that a start begins. */
const WARM_MS = 1_500;

/** A whole environment of nobody's: every address is one where nothing answers. */
const NOBODY = {
  USER_ID: '00000000-0000-4000-8000-000000000000', MACHINE_ID: '00000000-0000-4000-8000-000000000000', MACHINE_SECRET: 'the-secret-of-nobody', SUPABASE_PUBLISHABLE_KEY: 'sb_publishable_nobody',
  TICKET_JWKS: JSON.stringify({ keys: [{ kty: 'OKP', crv: 'Ed25519', kid: 'nobody', x: '11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo' }] }),
  SUPABASE_URL: 'http://127.0.0.1:65535', CONTROL_PLANE_URL: 'http://127.0.0.1:65535', BINANCE_REST_URL: 'http://127.0.0.1:65535', BINANCE_STREAM_URL: 'ws://127.0.0.1:65535',
  HOST: '127.0.0.1', PORT: '0', METRICS_PORT: '0', LOG_LEVEL: 'silent',
};

/**
 * Runs a bundled machine for a moment with nobody's environment, so that Node keeps its compiled code in `cacheFolder`. `command` starts it as it will be started later: Node looks for
 * the code by its own version and flags, the user, and the path of the file. Throws when the machine does not end as it should.
 */
export async function warmCompileCache(command: readonly [string, ...string[]], { cacheFolder, dataDir }: { cacheFolder: string; dataDir: string }): Promise<void> {
  const [program, ...args] = command;
  const child = spawn(program, args, { env: { ...NOBODY, ...MACHINE_ENV, NODE_COMPILE_CACHE: cacheFolder, DATA_DIR: dataDir }, stdio: ['ignore', 'ignore', 'inherit'] });
  const exited = once(child, 'exit') as Promise<[number | null, NodeJS.Signals | null]>;
  await Promise.race([exited, sleep(WARM_MS)]);
  child.kill('SIGTERM');
  const [code, signal] = await exited;
  if (code !== 0) throw new Error(`The machine that was run to compile it ended with ${signal ?? `status ${code}`}.`);
}
