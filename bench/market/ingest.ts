import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import type { Socket } from 'node:net';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { BenchRow } from '../frame/row.ts';

const folder = join(import.meta.dirname, 'ingest');
const PACED_RATE = 5_000;
const PACED_SECONDS = 6;

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

const costOf = ({ cpuMs, frames }: Taken) => (cpuMs * 1_000) / frames;

/** How many times as much one client costs as another, a frame, measured one right after the other. */
async function ratio(one: Client, other: Client, mode: Mode): Promise<number> {
  return costOf(await take(one, mode)) / costOf(await take(other, mode));
}

/** Frames over loopback into the market room: real recorded ones, klines of 500 symbols, tickers of all; parsed, dispatched, checked, stored. */
export function rows(): BenchRow[] {
  const what = 'real recorded frames, klines of 500 symbols and tickers of all, over loopback';
  return [
    {
      id: 'market.ingest', unit: 'frames/s', must: 300_000, atLeast: true, runs: 5, what: `${what}: taken in, in bulk, on one thread`,
      measure: async () => { const taken = await take('ours', 'bulk'); return (taken.frames / taken.wallMs) * 1_000; },
      peers: [{ name: 'bare ws + JSON.parse', measure: async () => { const taken = await take('bare', 'bulk'); return (taken.frames / taken.wallMs) * 1_000; } }],
    },
    { id: 'market.ingest.bare', unit: '× bare', must: 1.25, runs: 5, what: `${what}: processor time a frame in bulk, ours ÷ bare ws + JSON.parse`, measure: () => ratio('ours', 'bare', 'bulk') },
    { id: 'market.ingest.ccxt', unit: '×', must: 2.3, atLeast: true, runs: 3, what: `${what}: processor time a frame in bulk, ccxt ÷ ours`, measure: () => ratio('ccxt', 'ours', 'bulk') },
    { id: 'market.ingest.binance', unit: '×', must: 1, atLeast: true, runs: 3, what: `${what}: processor time a frame in bulk, binance (npm) ÷ ours`, measure: () => ratio('binance', 'ours', 'bulk') },
    { id: 'market.ingest.paced', unit: '× bare', must: 1.3, runs: 3, what: `${what}: processor time a frame at ${PACED_RATE} frames/s, ours ÷ bare ws + JSON.parse`, measure: () => ratio('ours', 'bare', 'paced') },
  ];
}
