import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { WebSocket } from 'ws';
import { median, type BenchRow } from '../frame/row.ts';

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
const TICKS_A_SECOND = 100;

interface StandIn { child: ChildProcess; url: string; streams: string; admin: string; dataDir: string }

/** What the 20 machines saw: lag of closes (from the end of the candle) and of all other frames (from their event time), ms, and the share of one core. */
export interface Load { closeLags: number[]; frameLags: number[]; frames: number; closes: number; coreShare: number; parts: Record<string, number> }

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

const wait = (ms: number) => new Promise((resolve) => { setTimeout(resolve, ms); });

/** Reads the whole number that follows `mark`, or null. */
function numberAfter(frame: Buffer, mark: string): number | null {
  const at = frame.indexOf(mark);
  if (at < 0) return null;
  let value = 0;
  for (let i = at + mark.length; frame[i]! >= 48 && frame[i]! <= 57; i += 1) value = value * 10 + frame[i]! - 48;
  return value;
}

/** 500 symbols in real time, every stream that a machine wants, 20 machines, over a full hour. */
export async function watchFullHour(): Promise<Load> {
  const standIn = await start();
  const sockets: WebSocket[] = [];
  try {
    const info = (await (await fetch(`${standIn.url}/api/v3/exchangeInfo`)).json()) as { symbols: { symbol: string }[] };
    const streams = ['!miniTicker@arr', ...info.symbols.flatMap(({ symbol }) => INTERVALS.map((interval) => `${symbol.toLowerCase()}@kline_${interval}`))];
    const { marketTime } = (await (await fetch(`${standIn.admin}/clock`)).json()) as { marketTime: number };
    const hour = (Math.floor((marketTime + BEFORE_MS + 5_000) / HOUR) + 1) * HOUR;

    const load: Load = { closeLags: [], frameLags: [], frames: 0, closes: 0, coreShare: 0, parts: {} };
    let offset = Number.NaN;
    for (let machine = 0; machine < MACHINES; machine += 1) {
      for (let from = 0; from < streams.length; from += STREAMS) {
        const socket = new WebSocket(`${standIn.streams}/stream`);
        sockets.push(socket);
        await once(socket, 'open');
        socket.send(JSON.stringify({ method: 'SUBSCRIBE', params: streams.slice(from, from + STREAMS), id: 1 }));
        socket.on('message', (frame: Buffer) => {
          if (Number.isNaN(offset)) return;
          load.frames += 1;
          const now = Date.now() - offset;
          if (frame.includes('"x":true')) {
            load.closes += 1;
            load.closeLags.push(now - (numberAfter(frame, '"T":')! + 1));
          } else {
            const eventTime = numberAfter(frame, '"E":');
            if (eventTime !== null) load.frameLags.push(now - eventTime);
          }
        });
      }
    }
    // The day's figures are computed once; then the market leaps to shortly before the hour and runs in real time.
    await post(standIn, '/clock', { step: hour - BEFORE_MS - marketTime });
    await wait(3_000);
    const asked = Date.now();
    const clock = (await (await fetch(`${standIn.admin}/clock`)).json()) as { marketTime: number };
    offset = (asked + Date.now()) / 2 - clock.marketTime;
    const [usedBefore, from] = [processorMs(standIn.child.pid!), performance.now()];
    await wait(BEFORE_MS + AFTER_MS - 3_000);
    load.coreShare = (100 * (processorMs(standIn.child.pid!) - usedBefore)) / (performance.now() - from);
    return load;
  } finally {
    for (const socket of sockets) socket.terminate();
    await ended(standIn);
  }
}

const percentile = (values: readonly number[], share: number) => values.toSorted((a, b) => a - b)[Math.min(values.length - 1, Math.floor(values.length * share))]!;
if (process.argv[1] === import.meta.filename) {
  const load = await watchFullHour();
  console.log({ frames: load.frames, closes: load.closes, core: load.coreShare, close: [median(load.closeLags), percentile(load.closeLags, 0.99), percentile(load.closeLags, 1)], frame: [median(load.frameLags), percentile(load.frameLags, 0.99), percentile(load.frameLags, 1)] });
}
