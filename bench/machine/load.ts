import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TraderInput } from '@trademind/core';
import { compileTrader } from '@trademind/engine';
import { WebSocket } from 'ws';
import { signTicket, ticketJwks, ticketKeys } from '../../tests/support/feed.ts';
import { startOwnDatabase } from '../../tests/support/own-database.ts';
import { machineEnv, startCloud, type Cloud } from '../../tests/runtime/world.ts';
import { crowd } from '../engine/wide-traders.ts';
import { TRADERS } from '../engine/traders.ts';
import { admin, endExchangeProcess, marketTime, startExchangeProcess, wait, type ExchangeProcess } from '../market/exchange-process.ts';
import { makeBundle, startMachineProcess, watch, type Bundle, type MachineUnderTest, type Window } from './machine-process.ts';

export type LevelName = 'idle' | 'live' | 'heavy';
interface Level { what: string; periodMs: number; symbols: number; cpus: number; clients: number; traders(): TraderInput[] }

/** A window stands around the end of a candle: from so long before it, for so long. */
const BEFORE_MS = 15_000;
const WINDOW_MS = 45_000;
/** After it is ready: what a start leaves behind is collected. */
const SETTLE_MS = 10_000;
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
    what: '100 traders on each of 500 symbols on 15m with a condition on 1h, 500 candles kept, two vCPUs, 20 clients', periodMs: 900_000, symbols: 500, cpus: 2, clients: 20,
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

export interface LoadedOptions { cpus: number; dataDir?: string; exchange?: Pick<ExchangeProcess, 'url' | 'streams'> }

/** A user with these traders, and the bundled machine that runs them, ready. */
export async function startLoaded({ cloud, exchange, bundle, folder }: World, traders: readonly TraderInput[], options: LoadedOptions): Promise<Loaded> {
  const keys = await ticketKeys();
  const machine = await cloud.addMachine();
  for (const trader of traders) await machine.addTrader(trader);
  const { url, streams } = options.exchange ?? exchange;
  const env = {
    ...machineEnv({ cloud, machine, exchange: { url, streams, close: () => Promise.resolve() }, dataDir: options.dataDir ?? mkdtempSync(join(folder, 'data-')) }),
    TICKET_JWKS: JSON.stringify(await ticketJwks(keys)),
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

export interface Taken extends Window { candles: number; series: number; workers: number }

/** Runs a level in real time over the end of a candle, scraped as Fly does, and tells what the machine's process took. Throws when nothing closed meanwhile. */
export async function measureLevel(name: LevelName): Promise<Taken> {
  const { symbols, cpus, clients, traders, periodMs } = LEVELS[name];
  const world = await startWorld({ symbols, speed: 1 });
  try {
    const { process, connect, stop } = await startLoaded(world, traders(), { cpus });
    await connect(clients);
    await wait(SETTLE_MS);
    await leap(world.exchange, periodMs);
    const before = await figures(process);
    const scrape = setInterval(() => void figures(process), SCRAPE_MS);
    const window = await watch(process.pid, WINDOW_MS);
    clearInterval(scrape);
    const after = await figures(process);
    const candles = after('trademind_candles_total') - before('trademind_candles_total');
    const series = after('trademind_series');
    if (candles < series) throw new Error(`Of ${series} candles ${candles} closed. ${process.warnings.join(' ')}`);
    await stop();
    return { ...window, candles, series, workers: after('trademind_screening_workers') };
  } finally {
    await world.close();
  }
}

/** Moves the market on to shortly before the end of the candle under way, so that none is skipped. */
async function leap(exchange: ExchangeProcess, periodMs: number): Promise<void> {
  const now = await marketTime(exchange);
  const step = periodMs - (now % periodMs) - BEFORE_MS;
  if (step > 0) await admin(exchange, '/clock', { step });
}

/** Looks up what the machine tells Prometheus. */
export async function figures({ metricsPort }: MachineUnderTest): Promise<(name: string) => number> {
  const text = await (await fetch(`http://127.0.0.1:${metricsPort}/metrics`)).text();
  return (name) => Number(new RegExp(`^${name} ([\\d.e+-]+)$`, 'm').exec(text)?.[1]);
}
