import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { MACHINE_USER } from '../../machine-image/build/root-fs.ts';

const ROOT = join(import.meta.dirname, '../..');
const TAG = 'trademind-machine:local';

/** Whether an engine answers; else why not, in one line. */
export function dockerEngine(): { answers: true } | { answers: false; why: string } {
  const { status, stderr, error } = spawnSync('docker', ['version', '--format', '{{.Server.Version}}'], { encoding: 'utf8' });
  if (status === 0) return { answers: true };
  return { answers: false, why: error ? 'there is no docker command' : (stderr.trim().split('\n').at(-1) ?? 'it does not answer') };
}

/** Builds machine-image/Dockerfile; answers the image's id and size (bytes). Throws when the build fails; its words go to stderr. */
export function buildWithDocker(base: string | undefined): { id: string; bytes: number } {
  const args = ['build', '--file', 'machine-image/Dockerfile', '--tag', TAG, ...(base === undefined ? [] : ['--build-arg', `BASE=${base}`]), '.'];
  const { status } = spawnSync('docker', args, { cwd: ROOT, stdio: ['ignore', 2, 2] });
  if (status !== 0) throw new Error('docker build failed (above).');
  const { stdout } = spawnSync('docker', ['image', 'inspect', '--format', '{{.Id}} {{.Size}}', TAG], { encoding: 'utf8' });
  const [id = '', size = ''] = stdout.trim().split(' ');
  return { id, bytes: Number(size) };
}

/** What a machine is given by name; Docker takes the values from the caller's environment, so that none is in an argument. */
const GIVEN = [
  'USER_ID', 'MACHINE_ID', 'MACHINE_REGION', 'MACHINE_SECRET', 'SUPABASE_URL', 'SUPABASE_PUBLISHABLE_KEY', 'CONTROL_PLANE_URL', 'TICKET_JWKS', 'ALLOWED_ORIGINS', 'KLINE_INTERVAL', 'SCREENING_INTERVAL_MS',
  'BINANCE_REST_URL', 'BINANCE_STREAM_URL', 'PAPER_TRADING', 'LOG_LEVEL', 'HOST', 'PORT', 'METRICS_PORT', 'METRICS_HOST', 'FLY_MACHINE_ID',
];

/** Runs the image as a machine of the Fly stand-in: read-only, without capabilities, its volume at /data, on the host's loopback. */
export const DOCKER_COMMAND: readonly string[] = [
  '/bin/sh', '-euc', `PATH=/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin; chown ${MACHINE_USER.uid}:${MACHINE_USER.gid} "$DATA_DIR"; exec docker run --rm --network host --read-only --cap-drop ALL `
  + `--security-opt no-new-privileges --volume "$DATA_DIR:/data" ${GIVEN.map((name) => `--env ${name}`).join(' ')} ${TAG}`,
];
