import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { WebSocket } from 'ws';
import type { BenchRow } from '../frame/row.ts';

const ROOT = join(import.meta.dirname, '../..');
const SYMBOLS = 500;
const INTERVALS = ['1m', '5m', '15m'] as const;
const MACHINES = 20;
/** Binance: streams a connection may listen to. A machine that wants more opens another. */
const STREAMS = 1_024;
const HOUR = 3_600_000;
/** The market is watched from so long before a full hour until so long after it. */
const BEFORE_MS = 10_000;
const AFTER_MS = 15_000;
/** Until all streams have begun. */
const SETTLE_MS = 3_000;
const TICKS_A_SECOND = 100;

interface StandIn { child: ChildProcess; url: string; streams: string; admin: string; dataDir: string }

/** What the 20 machines saw: the longest lag of a close (from the end of its candle) and of any other frame (from its event time), ms; and the share of one core. */
interface Load { closeLag: number; frameLag: number; frames: number; coreShare: number }

async function start(): Promise<StandIn> {
  const dataDir = mkdtempSync(join(tmpdir(), 'tm-stand-in-'));
  const args = ['--disable-warning=ExperimentalWarning', 'local-cloud/main.ts', 'exchange', '--port', '0', '--admin-port', '0', '--market', 'simulated', '--symbols', String(SYMBOLS), '--speed', '1', '--seed', 'bench', '--data', dataDir];
  const child = spawn(process.execPath, args, { cwd: ROOT, stdio: ['ignore', 'pipe', 'inherit'] });
  const [line] = (await once(createInterface({ input: child.stdout }), 'line')) as [string];
  return { child, dataDir, ...(JSON.parse(line) as Pick<StandIn, 'url' | 'streams' | 'admin'>) };
}

async function ended({ child, dataDir }: StandIn): Promise<void> {
  child.kill('SIGTERM');
  await once(child, 'exit');
  rmSync(dataDir, { recursive: true, force: true });
}

const post = async (standIn: StandIn, path: string, body: unknown) =>
  (await (await fetch(standIn.admin + path, { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) })).json()) as Record<string, number>;

/** ms of processor time that the process has used: user and system, from the kernel. */
function processorMs(pid: number): number {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]!.split(' ');
  return ((Number(fields[11]) + Number(fields[12])) * 1_000) / TICKS_A_SECOND;
}

const clock = async (standIn: StandIn) => (await (await fetch(`${standIn.admin}/clock`)).json()) as { marketTime: number };
const wait = (ms: number) => new Promise((resolve) => { setTimeout(resolve, ms); });

/** Reads the whole number that follows `mark`, or null. */
function numberAfter(frame: Buffer, mark: string): number | null {
  const at = frame.indexOf(mark);
  if (at < 0) return null;
  let value = 0;
  for (let i = at + mark.length; frame[i]! >= 48 && frame[i]! <= 57; i += 1) value = value * 10 + frame[i]! - 48;
  return value;
}

/** 500 symbols in real time, every stream that a machine wants, 20 machines, over a full hour. Throws when a machine missed a close. */
async function watchFullHour(): Promise<Load> {
  const standIn = await start();
  const sockets: WebSocket[] = [];
  try {
    const info = (await (await fetch(`${standIn.url}/api/v3/exchangeInfo`)).json()) as { symbols: { symbol: string }[] };
    const streams = ['!miniTicker@arr', ...info.symbols.flatMap(({ symbol }) => INTERVALS.map((interval) => `${symbol.toLowerCase()}@kline_${interval}`))];
    const load: Load = { closeLag: 0, frameLag: 0, frames: 0, coreShare: 0 };
    const closes = Array.from({ length: MACHINES }, () => 0);
    let offset = Number.NaN;
    const take = (machine: number, frame: Buffer) => {
      if (Number.isNaN(offset)) return;
      load.frames += 1;
      const now = Date.now() - offset;
      const [closed, eventTime] = [frame.includes('"x":true'), numberAfter(frame, '"E":')];
      if (closed) {
        closes[machine]! += 1;
        load.closeLag = Math.max(load.closeLag, now - (numberAfter(frame, '"T":')! + 1));
      } else if (eventTime !== null) load.frameLag = Math.max(load.frameLag, now - eventTime);
    };
    for (let machine = 0; machine < MACHINES; machine += 1) {
      for (let from = 0; from < streams.length; from += STREAMS) {
        const socket = new WebSocket(`${standIn.streams}/stream`);
        sockets.push(socket);
        await once(socket, 'open');
        socket.on('message', (frame: Buffer) => take(machine, frame));
        socket.send(JSON.stringify({ method: 'SUBSCRIBE', params: streams.slice(from, from + STREAMS), id: 1 }));
      }
    }
    // The day's figures are computed once; then the market leaps to shortly before an hour and runs in real time.
    await wait(SETTLE_MS);
    const { marketTime } = await clock(standIn);
    await post(standIn, '/clock', { step: (Math.floor(marketTime / HOUR) + 2) * HOUR - BEFORE_MS - marketTime });
    await wait(SETTLE_MS);
    const asked = Date.now();
    offset = asked - (await clock(standIn)).marketTime;
    const [used, from] = [processorMs(standIn.child.pid!), performance.now()];
    await wait(BEFORE_MS + AFTER_MS);
    load.coreShare = (100 * (processorMs(standIn.child.pid!) - used)) / (performance.now() - from);
    // A few of the least traded symbols may have had no trade in their last minute: then there is no close to tell.
    if (closes.some((count) => count !== closes[0] || count < SYMBOLS * INTERVALS.length * 0.95)) throw new Error(`Closes missed: ${closes.join(', ')}.`);
    return load;
  } finally {
    for (const socket of sockets) socket.terminate();
    await ended(standIn);
  }
}

/** The exchange stand-in under the load of 20 machines. Reads the kernel's account of its process, so Linux alone. */
export function rows(): BenchRow[] {
  const what = `the exchange stand-in: ${SYMBOLS} symbols in real time, klines of ${INTERVALS.join(', ')} and !miniTicker@arr, ${MACHINES} machines, over a full hour`;
  return [
    {
      id: 'market.stand-in', unit: 'ms', must: 500, runs: 3, what: `${what}: the longest way of any frame, from its moment to any machine`,
      measure: async () => {
        const { closeLag, frameLag } = await watchFullHour();
        return Math.max(closeLag, frameLag);
      },
    },
    { id: 'market.stand-in-core', unit: '% of a core', must: 20, runs: 1, what: `${what}: processor time of its process`, measure: async () => (await watchFullHour()).coreShare },
  ];
}
