import { once } from 'node:events';
import { WebSocket } from 'ws';
import type { BenchRow } from '../frame/row.ts';
import { admin, endExchangeProcess, marketTime, processorMs, startExchangeProcess, wait } from './exchange-process.ts';

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

/** What the 20 machines saw: the longest lag of a close (from the end of its candle) and of any other frame (from its event time), ms; and the share of one core. */
interface Load { closeLag: number; frameLag: number; frames: number; coreShare: number }

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
  const standIn = await startExchangeProcess({ symbols: SYMBOLS, speed: 1, seed: 'bench' });
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
    const now = await marketTime(standIn);
    await admin(standIn, '/clock', { step: (Math.floor(now / HOUR) + 2) * HOUR - BEFORE_MS - now });
    await wait(SETTLE_MS);
    const asked = Date.now();
    offset = asked - (await marketTime(standIn));
    const [used, from] = [processorMs(standIn.child.pid!), performance.now()];
    await wait(BEFORE_MS + AFTER_MS);
    load.coreShare = (100 * (processorMs(standIn.child.pid!) - used)) / (performance.now() - from);
    // A few of the least traded symbols may have had no trade in their last minute: then there is no close to tell.
    if (closes.some((count) => count !== closes[0] || count < SYMBOLS * INTERVALS.length * 0.95)) throw new Error(`Closes missed: ${closes.join(', ')}.`);
    return load;
  } finally {
    for (const socket of sockets) socket.terminate();
    await endExchangeProcess(standIn);
  }
}

/** The exchange stand-in under the load of 20 machines. Reads the kernel's account of its process, so Linux alone. */
export function rows(): BenchRow[] {
  const what = `the exchange stand-in: ${SYMBOLS} symbols in real time, klines of ${INTERVALS.join(', ')} and !miniTicker@arr, ${MACHINES} machines, over a full hour`;
  const loads: Load[] = [];
  return [{
    id: 'market.stand-in', unit: 'ms', must: 500, runs: 3, what: `${what}: the longest way of any frame, from its moment to any machine`,
    measure: async () => {
      const load = await watchFullHour();
      loads.push(load);
      return Math.max(load.closeLag, load.frameLag);
    },
    also: () => Promise.resolve([
      { name: 'processor time of its process', value: Math.max(...loads.map(({ coreShare }) => coreShare)), unit: '% of a core', must: 20 },
      { name: 'frames to all machines', value: Math.min(...loads.map(({ frames }) => frames / ((BEFORE_MS + AFTER_MS) / 1_000))), unit: '/s' },
    ]),
  }];
}
