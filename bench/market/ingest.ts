import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import type { Socket } from 'node:net';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { BenchRow } from '../frame/row.ts';

const folder = join(import.meta.dirname, 'ingest');
const PACED_RATE = 5_000;
/** A fifth of it warms up: at this rate the engine is still compiling for seconds. */
const PACED_SECONDS = 30;

type Client = 'ours' | 'bare' | 'ccxt' | 'binance';
type Mode = 'bulk' | 'paced';
interface Taken { cpuMs: number; wallMs: number; frames: number; klines: number; closed: number; stored?: number }

function run(file: string, ...args: string[]): { child: ChildProcess; line(): Promise<string> } {
  const child = spawn(process.execPath, ['--disable-warning=ExperimentalWarning', join(folder, file), ...args], { stdio: ['ignore', 'pipe', 'inherit'] });
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  return {
    child,
    line: async () => {
      const { value, done } = await lines.next();
      if (done === true) throw new Error(`${file} ${args.join(' ')} ended without a word.`);
      return value;
    },
  };
}

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const exit = once(child, 'exit');
  child.kill();
  await exit;
}

/** The sender makes its frames once, for all measurements; it ends with us. */
let sender: Promise<string> | undefined;
function senderPort(): Promise<string> {
  sender ??= (() => {
    const { child, line } = run('sender.ts');
    process.once('exit', () => child.kill());
    return line().finally(() => {
      child.unref();
      (child.stdout as Socket).unref();
    });
  })();
  return sender;
}

/** Every client in a new process of its own, the sender in another. */
async function take(client: Client, mode: Mode): Promise<Taken> {
  const port = await senderPort();
  const ask = (path: string) => fetch(`http://127.0.0.1:${port}${path}?mode=${mode}&rate=${PACED_RATE}&seconds=${PACED_SECONDS}`);
  const all = (await (await ask('/plan')).json()) as { warm: number; frames: number; klines: number; closed: number };
  const receiver = run('client.ts', client, port, String(all.warm), String(all.klines));
  try {
    while ((await receiver.line()) !== 'ready');
    const sent = ask('/go');
    const taken = { ...(JSON.parse(await receiver.line()) as Omit<Taken, 'frames' | 'klines' | 'closed'>), ...all };
    await sent;
    if (client === 'ours' && taken.stored !== taken.closed) throw new Error(`${taken.stored} of ${taken.closed} closed candles were stored.`);
    return taken;
  } finally {
    await end(receiver.child);
  }
}

/** Microseconds of processor time a frame, all threads of the process together. */
const costOf = async (client: Client, mode: Mode) => {
  const { cpuMs, frames } = await take(client, mode);
  return (cpuMs * 1_000) / frames;
};

/** Frames over loopback into the market room: real recorded ones, klines of 500 symbols, tickers of all; parsed, dispatched, checked, stored. */
export function rows(): BenchRow[] {
  const what = 'real recorded frames, klines of 500 symbols and tickers of all, over loopback';
  const inBulk = async (client: Client) => {
    const { frames, wallMs } = await take(client, 'bulk');
    return (frames / wallMs) * 1_000;
  };
  return [
    {
      id: 'market.ingest', unit: 'frames/s', must: 300_000, atLeast: true, runs: 5, what: `${what}: parsed, dispatched and stored, in bulk, on one thread`,
      measure: () => inBulk('ours'), peers: [{ name: 'ws + JSON.parse alone', measure: () => inBulk('bare') }],
    },
    {
      id: 'market.ingest-cost', unit: 'µs', runs: 5, what: `${what}: processor time a frame, in bulk`,
      measure: () => costOf('ours', 'bulk'),
      peers: [
        { name: 'ws + JSON.parse alone', measure: () => costOf('bare', 'bulk'), ratio: 1 / 1.25 },
        { name: 'ccxt', measure: () => costOf('ccxt', 'bulk'), ratio: 2.3, every: 2 },
        { name: 'binance (npm)', measure: () => costOf('binance', 'bulk'), ratio: 1 },
      ],
    },
    {
      id: 'market.ingest-paced', unit: 'µs', runs: 3, what: `${what}: processor time a frame, at ${PACED_RATE} frames/s`,
      measure: () => costOf('ours', 'paced'), peers: [{ name: 'ws + JSON.parse alone', measure: () => costOf('bare', 'paced'), ratio: 1 / 1.3 }],
    },
  ];
}
