import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TraderInput } from '@trademind/core';
import { compileTrader } from '@trademind/engine';
import { WebSocket } from 'ws';
import { signTicket, ticketJwks, ticketKeys } from '../../tests/support/feed.ts';
import { startTestGemini } from '../../tests/support/gemini.ts';
import { startOwnDatabase } from '../../tests/support/own-database.ts';
import { machineEnv, startCloud, type Cloud } from '../../tests/runtime/world.ts';
import { crowd } from '../engine/wide-traders.ts';
import { TRADERS } from '../engine/traders.ts';
import { admin, endExchangeProcess, marketTime, startExchangeProcess, wait, type ExchangeProcess } from '../market/exchange-process.ts';
import { makeBundle, startMachineProcess, watch, type Bundle, type MachineUnderTest, type Window } from './machine-process.ts';

export type LevelName = 'idle' | 'live' | 'heavy';
interface Level {
  what: string; periodMs: number; symbols: number; cpus: number; clients: number;
  /** Ends of candles before the window: after a few the machine knows what a pass takes, and how many threads it wants. */
  closesBefore?: number;
  /** Whether there is a key for the model, and signals are analysed as fast as the machine's share allows. */
  analyses?: boolean;
  traders(): TraderInput[];
}

/** A window stands around the end of a candle: from so long before it, for so long. */
const BEFORE_MS = 15_000;
const WINDOW_MS = 45_000;
/** After it is ready: what a start leaves behind is collected. */
const SETTLE_MS = 10_000;
/** The ends of candles before the window come so soon after one another. */
const SOON_MS = 2_000;
const CLOSED_WITHIN_MS = 60_000;
/** As Fly does it. */
const SCRAPE_MS = 15_000;

/** Twenty traders as practitioners write them, on the hundred largest symbols. */
export const twenty = (interval: '1m' | '5m' = '5m'): TraderInput[] => TRADERS.map(({ name, side, where }) => ({ name, side, interval, where, universe: { quote: 'USDT', largest: 100 } }));

/** Traders of the crowd whose indicators have settled on 15m within so many candles that, with a day to search and some to spare, 500 are kept. */
function settled(count: number): Pick<TraderInput, 'name' | 'side' | 'where'>[] {
  return crowd(4 * count).map(({ document }) => document).filter((document) => compileTrader({ ...document, interval: '15m' }, '15m').settle <= 300).slice(0, count);
}

export const LEVELS: Readonly<Record<LevelName, Level>> = {
  idle: { what: 'no trader, one vCPU', periodMs: 300_000, symbols: 104, cpus: 1, clients: 0, traders: () => [] },
  live: { what: '20 traders × 100 symbols on 5m, one vCPU, one client', periodMs: 300_000, symbols: 104, cpus: 1, clients: 1, traders: () => twenty() },
  heavy: {
    what: '100 traders on each of 500 symbols on 15m with a condition on 1h, 500 candles kept, two vCPUs and as many worker threads as the machine wants after 7 closes, 20 clients, signals analysed by the model\'s stand-in (300 to 1200 ms a call) under the default share and caps',
    periodMs: 900_000, symbols: 500, cpus: 2, clients: 20, closesBefore: 7, analyses: true,
    traders: () => ['USDT', 'USDC'].flatMap((quote) => settled(100).map(({ name, side, where }): TraderInput => ({
      name: `${name} ${quote}`, side, interval: '15m', where: { ...where, trend: 'on("1h", rsi(14) > 40)' }, universe: { quote, largest: 500 },
    }))),
  },
};

/** A cloud of its own with a durable database, and the exchange stand-in as a process. */
export interface World { cloud: Cloud; exchange: ExchangeProcess; bundle: Bundle; folder: string; close(): Promise<void> }

export async function startWorld(exchangeOptions: { symbols: number; speed: number }): Promise<World> {
  const folder = mkdtempSync(join(tmpdir(), 'trademind-load-'));
  const ends: (() => Promise<void> | void)[] = [() => rmSync(folder, { recursive: true, force: true })];
  const close = async () => { for (const end of ends.toReversed()) await end(); };
  try {
    const bundle = await makeBundle();
    ends.push(bundle.remove);
    const database = await startOwnDatabase();
    const cloud = await startCloud({ database });
    ends.push(() => cloud.close());
    const exchange = await startExchangeProcess({ ...exchangeOptions, seed: 'machine' });
    ends.push(() => endExchangeProcess(exchange));
    return { cloud, exchange, bundle, folder, close };
  } catch (error) {
    await close();
    throw error;
  }
}

export interface Loaded {
  process: MachineUnderTest;
  /** So many clients of the feed, which read all of it. */
  connect(count: number, onFrame?: (frame: Buffer) => void): Promise<void>;
  stop(): Promise<void>;
  /** After a stop: the same machine on the same folder. */
  again(): Promise<Loaded>;
}

export interface LoadedOptions { cpus: number; dataDir?: string; exchange?: Pick<ExchangeProcess, 'url' | 'streams'>; /** Who analyses signals; left out: nobody. */ gemini?: { url: string; key: string } | undefined }

/** A user with these traders, and the bundled machine that runs them, ready. */
export async function startLoaded({ cloud, exchange, bundle, folder }: World, traders: readonly TraderInput[], options: LoadedOptions): Promise<Loaded> {
  const keys = await ticketKeys();
  const machine = await cloud.addMachine();
  for (const trader of traders) await machine.addTrader(trader);
  const { url, streams } = options.exchange ?? exchange;
  const env = {
    ...machineEnv({ cloud, machine, exchange: { url, streams, close: () => Promise.resolve() }, dataDir: options.dataDir ?? mkdtempSync(join(folder, 'data-')) }),
    TICKET_JWKS: JSON.stringify(await ticketJwks(keys)), ...(options.gemini && { GEMINI_API_KEY: options.gemini.key, GEMINI_BASE_URL: options.gemini.url }),
  };
  const start = async (): Promise<Loaded> => {
    const process = await startMachineProcess(bundle, env, options.cpus);
    const sockets: WebSocket[] = [];
    return {
      process, again: start,
      connect: async (count, onFrame = () => undefined) => {
        for (let client = 0; client < count; client += 1) {
          const ticket = await signTicket({ userId: machine.user.id, machineId: machine.id }, { key: keys.privateKey });
          const socket = new WebSocket(`ws://127.0.0.1:${process.port}/v1/feed`, ['trademind.v1', `ticket.${ticket}`], { perMessageDeflate: false });
          sockets.push(socket);
          socket.on('message', onFrame);
          await new Promise((resolve, reject) => { socket.once('open', resolve); socket.once('error', reject); });
        }
      },
      stop: async () => {
        for (const socket of sockets) socket.terminate();
        await process.stop();
      },
    };
  };
  return start();
}

export interface Taken extends Window { candles: number; series: number; workers: number; /** What screening a close took, ms; calls of the model that began in the window. */ passMs: number; analyses: number }

/** Runs a level in real time over the end of a candle, scraped as Fly does, and tells what the machine's process took. Throws when nothing closed or, where it should have been, nothing was analysed meanwhile. */
export async function measureLevel(name: LevelName): Promise<Taken> {
  const { symbols, cpus, clients, traders, periodMs, closesBefore = 0, analyses = false } = LEVELS[name];
  const world = await startWorld({ symbols, speed: 1 });
  const gemini = analyses ? await startTestGemini({ latencyMs: undefined, requestsPerMinute: undefined }) : undefined;
  try {
    const { process, connect, stop } = await startLoaded(world, traders(), { cpus, gemini });
    await connect(clients);
    await wait(SETTLE_MS);
    for (let close = 0; close < closesBefore; close += 1) await passClose(world.exchange, process, periodMs);
    await leap(world.exchange, periodMs, BEFORE_MS);
    const before = await figures(process);
    const asked = (await gemini?.journal())?.length ?? 0;
    const scrape = setInterval(() => void figures(process), SCRAPE_MS);
    const window = await watch(process.pid, WINDOW_MS);
    clearInterval(scrape);
    const after = await figures(process);
    const candles = after('trademind_candles_total') - before('trademind_candles_total');
    const series = after('trademind_series');
    if (candles < series) throw new Error(`Of ${series} candles ${candles} closed. ${process.warnings.join(' ')}`);
    const made = ((await gemini?.journal())?.length ?? 0) - asked;
    if (analyses && made === 0) throw new Error(`No signal was analysed. ${process.warnings.join(' ')}`);
    await stop();
    const workers = after('trademind_screening_workers');
    return { ...window, candles, series, workers, passMs: after('trademind_screening_pass_ratio') * periodMs * Math.max(1, workers), analyses: made };
  } finally {
    await gemini?.close();
    await world.close();
  }
}

/** Moves the market on to the next end of a candle, and waits until the machine has screened all that closed. */
async function passClose(exchange: ExchangeProcess, process: MachineUnderTest, periodMs: number): Promise<void> {
  const before = (await figures(process))('trademind_candles_total');
  await leap(exchange, periodMs, SOON_MS);
  for (const until = performance.now() + CLOSED_WITHIN_MS; ;) {
    await wait(SOON_MS);
    const after = await figures(process);
    if (after('trademind_candles_total') - before >= after('trademind_series')) return;
    if (performance.now() > until) throw new Error(`Of ${after('trademind_series')} candles ${after('trademind_candles_total') - before} closed. ${process.warnings.join(' ')}`);
  }
}

/** Moves the market on to so long before the end of the candle under way, so that none is skipped. */
async function leap(exchange: ExchangeProcess, periodMs: number, beforeMs: number): Promise<void> {
  const now = await marketTime(exchange);
  const step = periodMs - (now % periodMs) - beforeMs;
  if (step > 0) await admin(exchange, '/clock', { step });
}

/** Looks up what the machine tells Prometheus. */
export async function figures({ metricsPort }: MachineUnderTest): Promise<(name: string) => number> {
  const text = await (await fetch(`http://127.0.0.1:${metricsPort}/metrics`)).text();
  return (name) => Number(new RegExp(`^${name} ([\\d.e+-]+)$`, 'm').exec(text)?.[1]);
}
