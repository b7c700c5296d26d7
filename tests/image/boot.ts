import { randomUUID } from 'node:crypto';
import { existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { MachineView, TraderInput } from '@trademind/core';
import { callApi, controlPlaneEnv, startTestControlPlane } from '../support/control-plane.ts';
import type { TestDatabase } from '../support/database.ts';
import { startTestFly } from '../support/fly.ts';
import { startTestSupabase } from '../support/supabase.ts';
import { startTestExchange } from '../runtime/world.ts';
import { until } from '../support/platform.ts';

const IMAGE = `registry.local/trademind-machine@sha256:${'c'.repeat(64)}`;
const TRADER: TraderInput = { name: 'Dip', side: 'long', interval: '1m', where: { low: 'rsi(5) < 35' }, universe: { quote: 'USDT', largest: 10 } };
const WITHIN_MS = 180_000;

export interface Booted {
  /** From the start of the machine's process to the first 200 of `/ready` behind the edge. */
  readyAfterMs: number;
  process: { uid: number; rootWritable: boolean; rssMb: number };
  /** The machine's own lines, to its end. */
  log: readonly { level: string; code: string; msg: string }[];
}

interface Place { database: TestDatabase; command: readonly string[]; say(text: string): void }

/**
 * Boots an image against a whole local cloud: a user deploys through the real control plane, the Fly stand-in starts `command` with the machine's environment, and the machine takes its
 * traders from the database and its candles from the exchange stand-in. Waits until `/ready` answers 200 behind the edge, looks at the process, stops it by the API. Rejects when it is not ready in time.
 */
export async function bootImage({ database, command, say }: Place): Promise<Booted> {
  const ends: (() => Promise<unknown>)[] = [];
  try {
    const supabase = await startTestSupabase({ database });
    ends.push(() => supabase.close());
    const exchange = await startTestExchange({ speed: 60, symbols: 12, seed: 'image' });
    ends.push(() => exchange.close());
    const fly = await startTestFly({ runtime: 'process', images: { [IMAGE]: { command } } });
    ends.push(() => fly.close());
    const controlPlane = await startTestControlPlane(controlPlaneEnv(supabase, fly, { MACHINE_IMAGE: IMAGE, MACHINE_ENV: JSON.stringify({ BINANCE_REST_URL: exchange.url, BINANCE_STREAM_URL: exchange.streams }) }));
    ends.push(() => controlPlane.close());
    const user = await supabase.createUser();
    const stored = await user.client.from('traders').insert({ id: randomUUID(), user_id: user.id, name: TRADER.name, enabled: true, document: TRADER });
    if (stored.error) throw new Error(stored.error.message);

    const api = (method: string, path: string, body?: unknown) => callApi(controlPlane.url, user.accessToken, method, path, body);
    const { status, body } = await api('POST', '/v1/machines', {});
    if (status >= 300) throw new Error(`The control plane refused the deploy: ${JSON.stringify(body)}`);
    const { id } = body as { id: string };
    const view = async () => (await api('GET', `/v1/machines/${id}`)).body as unknown as MachineView;
    say('deployed; waiting for the machine …');
    const { flyMachineId, url } = await until('the machine has begun', async () => { const now = await view(); return now.flyMachineId !== null && now.url !== null ? { flyMachineId: now.flyMachineId, url: now.url } : undefined; }, WITHIN_MS);
    const logFile = join(fly.dataDir, 'logs', `${flyMachineId}.log`);
    const pid = await until('its process runs', () => processOf(flyMachineId), WITHIN_MS);
    const readyAfterMs = await ready(`${url}/ready`, pid).catch((error: unknown) => { throw new Error(`The image did not become ready. Its log:\n${readFileSync(logFile, 'utf8')}`, { cause: error }); });
    const process = seen(pid);
    say('ready; stopping it …');
    const stop = await api('PATCH', `/v1/machines/${id}`, { desired: 'stopped' });
    if (stop.status >= 300) throw new Error(`The control plane refused the stop: ${JSON.stringify(stop.body)}`);
    await until('it has ended', () => (existsSync(`/proc/${pid}`) ? undefined : true), WITHIN_MS);
    return { readyAfterMs, process, log: readFileSync(logFile, 'utf8').trim().split('\n').map((line) => JSON.parse(line) as Booted['log'][number]) };
  } finally {
    for (const end of ends.toReversed()) await end();
  }
}

/** The first 200 of the address, in ms since the process began. */
async function ready(address: string, pid: number): Promise<number> {
  const began = performance.now() - (upS() - Number(fieldsOf(pid)[19]) / TICKS_A_SECOND) * 1_000;
  while ((await fetch(address)).status !== 200) {
    if (performance.now() - began > WITHIN_MS) throw new Error(`${address} did not answer 200 within ${WITHIN_MS} ms.`);
    await sleep(10);
  }
  return performance.now() - began;
}

const TICKS_A_SECOND = 100;
const upS = (): number => Number(readFileSync('/proc/uptime', 'utf8').split(' ')[0]);
/** What stands behind the name in `/proc/<pid>/stat`. */
const fieldsOf = (pid: number): string[] => readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]!.split(' ');

/** The Node process that runs the machine with this id in its environment. */
function processOf(flyMachineId: string): number | undefined {
  return readdirSync('/proc').filter((name) => /^\d+$/.test(name)).map(Number).find((pid) => {
    try {
      return readFileSync(`/proc/${pid}/comm`, 'utf8') !== 'sh\n' && readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes('main.js') && readFileSync(`/proc/${pid}/environ`, 'utf8').includes(`FLY_MACHINE_ID=${flyMachineId}`);
    } catch {
      return false; // it ended meanwhile, or is none of ours
    }
  });
}

/** A process from outside: who it is, whether its root could be written, and its memory. */
function seen(pid: number): Booted['process'] {
  const status = readFileSync(`/proc/${pid}/status`, 'utf8');
  const number = (name: string) => Number(new RegExp(`^${name}:\\s+(\\d+)`, 'm').exec(status)?.[1]);
  let rootWritable = true;
  try {
    const probe = `/proc/${pid}/root/app/probe`;
    writeFileSync(probe, '');
    rmSync(probe);
  } catch {
    rootWritable = false;
  }
  return { uid: number('Uid'), rootWritable, rssMb: number('VmRSS') / 1_024 };
}
