import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { BenchRow } from '../frame/row.ts';

const SYMBOLS = 500;
const SERIES = SYMBOLS * 3;
/** So long before the hour the market begins to run in real time: the machine boots and reads its history meanwhile. */
const BEFORE_MS = 50_000;
/** What is measured: so long before the hour, and so long after it. */
const FROM_MS = 20_000;
const UNTIL_MS = 15_000;
/** The sender spreads the closes of the hour over two seconds; its last timer, and ours, may be a little late. */
const CLOSES_MS = 2_000;
const LATE_MS = 100;

interface Load { corePercent: number; loopP99Ms: number; klinesPerSecond: number; tickerFrames: number; closes: number; closesWithinMs: number }

const run = (file: string, ...args: string[]) => spawn(process.execPath, ['--disable-warning=ExperimentalWarning', join(import.meta.dirname, 'live-load', file), ...args], { stdio: ['ignore', 'pipe', 'inherit'] });

async function watchHour(): Promise<Load> {
  const sender = run('sender.ts', String(BEFORE_MS));
  try {
    const [line] = (await once(createInterface({ input: sender.stdout }), 'line')) as [string];
    const { port, hour } = JSON.parse(line) as { port: number; hour: number };
    const machine = run('machine.ts', `http://127.0.0.1:${port}`, `ws://127.0.0.1:${port}`, String(hour - FROM_MS), String(hour + UNTIL_MS));
    const lines: string[] = [];
    for await (const said of createInterface({ input: machine.stdout })) lines.push(said);
    if (lines[0] !== 'ready' || lines[1] === undefined) throw new Error('The machine ended early.');
    return JSON.parse(lines[1]) as Load;
  } finally {
    sender.kill();
  }
}

/** 500 symbols × 3 intervals in real time, over a full hour, all closes at once. */
export function rows(): BenchRow[] {
  const loads: Load[] = [];
  return [{
    id: 'market.live-load', unit: '% of a core', must: 15, runs: 2,
    what: `${SYMBOLS} symbols × 3 intervals and !miniTicker@arr in real time, from ${FROM_MS / 1_000} s before a full hour until ${UNTIL_MS / 1_000} s after it: processor time of the market room`,
    measure: async () => {
      const load = await watchHour();
      loads.push(load);
      return load.corePercent;
    },
    also: () => Promise.resolve([
      { name: 'event loop delay, p99', value: Math.max(...loads.map(({ loopP99Ms }) => loopP99Ms)), unit: 'ms', must: 10 },
      { name: 'kline frames', value: Math.min(...loads.map(({ klinesPerSecond }) => klinesPerSecond)), unit: '/s', must: SERIES / 2, atLeast: true },
      { name: 'closes taken in', value: Math.min(...loads.map(({ closes }) => closes)), unit: 'candles', must: SERIES, atLeast: true },
      { name: 'from the first close to the last', value: Math.max(...loads.map(({ closesWithinMs }) => closesWithinMs)), unit: 'ms', must: CLOSES_MS + LATE_MS },
    ]),
  }];
}
