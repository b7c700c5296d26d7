import { intervalClose, type TraderInput } from '@trademind/core';
import type { BenchRow } from '../frame/row.ts';
import { percentile } from '../frame/row.ts';
import { wait } from '../market/exchange-process.ts';
import { framed, startMadeExchange, type MadeCandle, type MadeExchange } from '../market/made-exchange.ts';
import { klineFrame, symbolName } from '../market/made-frames.ts';
import { startLoaded, startWorld, twenty, type Loaded, type World } from './load.ts';

const SYMBOLS = 100;
/** A market minute takes a second. */
const RATE = 60;
const BEGIN = 1_790_000_040_000;
/** The closes of a minute come one after the other, as an exchange sends them, within this time. */
const SPREAD_MS = 500;
const RUNS = 3;
const MINUTES_A_RUN = 15;
const WARM_MINUTES = 10;

/** Signals on every second candle of every symbol: each closes above its open, or below, in turn. */
const TURN: TraderInput = { name: 'Turn', side: 'long', interval: '1m', where: { up: 'close > open' }, limits: { perHour: 10_000, perDay: 100_000 }, universe: { quote: 'USDT' } };

const micros = () => Number(process.hrtime.bigint()) / 1_000;

/** The frame that closes a symbol's candle of a minute: above its open on every second, below it on the others. */
function closing(index: number, minute: number, eventTime: number): string {
  const up = klineFrame({ symbol: symbolName(index), interval: '1m', open: BEGIN + minute * 60_000, eventTime, price: 1 + index, updates: 30, closed: true });
  return minute % 2 === 0 ? up : up.replace(/"o":"([^"]+)","c":"([^"]+)"/, '"o":"$2","c":"$1"');
}

/** An exchange that closes candles when it is told to, and a client of the machine's feed that knows when each was sent. */
class Course {
  readonly #began = performance.now();
  readonly #sent = new Map<string, number>();
  readonly #took: number[] = [];
  #exchange: MadeExchange | undefined;
  #world: World | undefined;
  #loaded: Loaded | undefined;
  /** The first minute whose candles move, and the one under way. */
  #first = Infinity;
  #minute = 0;

  static async start(): Promise<Course> {
    const course = new Course();
    try {
      await course.#start();
      return course;
    } catch (error) {
      await course.close();
      throw error;
    }
  }

  async #start(): Promise<void> {
    const symbols = Array.from({ length: SYMBOLS }, (_, index) => symbolName(index));
    const volumes = symbols.map((symbol) => ({ symbol, quoteVolume: '1000000' }));
    const exchange = await startMadeExchange({
      symbols, now: () => this.#now(), rate: RATE, more: (url) => (url.pathname === '/api/v3/ticker/24hr' ? Promise.resolve(volumes) : undefined),
      candle: (symbol, open) => {
        const minute = (open - BEGIN) / 60_000;
        return minute < this.#first ? undefined : (JSON.parse(closing(symbols.indexOf(symbol), minute, open)) as { data: { k: MadeCandle } }).data.k;
      },
    });
    this.#exchange = exchange;
    // The stand-in of the world is not asked: this market has a mind of its own.
    this.#world = await startWorld({ symbols: 1, speed: 0 });
    this.#loaded = await startLoaded(this.#world, [...twenty('1m').slice(1), TURN], { cpus: 1, exchange: { url: `http://127.0.0.1:${exchange.port}`, streams: `ws://127.0.0.1:${exchange.port}` } });
    await this.#loaded.connect(1, (bytes) => this.#heard(bytes));
    this.#minute = this.#first = Math.ceil((this.#now() - BEGIN) / 60_000) + 1;
    await this.#turn(WARM_MINUTES, SPREAD_MS);
  }

  #now(): number {
    return Math.floor(BEGIN + (performance.now() - this.#began) * RATE);
  }

  #close(index: number): void {
    const stream = `${symbolName(index).toLowerCase()}@kline_1m`;
    const packet = framed(closing(index, this.#minute, this.#now()));
    this.#sent.set(`${symbolName(index)} ${intervalClose('1m', BEGIN + this.#minute * 60_000)}`, micros());
    for (const [socket, streams] of this.#exchange!.connections) if (streams.has(stream)) socket.write(packet);
  }

  #heard(bytes: Buffer): void {
    const at = micros();
    if (!bytes.includes('"type":"signal"')) return;
    const { data } = JSON.parse(bytes.toString()) as { data: { traderName: string; symbol: string; closeTime: number; origin: string } };
    const sent = this.#sent.get(`${data.symbol} ${data.closeTime}`);
    if (data.traderName === TURN.name && sent !== undefined) this.#took.push((at - sent) / 1_000);
  }

  /** Closes every candle of so many minutes; answers ms from each close that was written to the socket to its signal. Throws when a signal did not come. */
  async run(minutes: number, spreadMs: number): Promise<number[]> {
    const { took, expected } = await this.#turn(minutes, spreadMs);
    if (took.length !== expected) throw new Error(`Of ${expected} signals ${took.length} came. ${this.#loaded!.process.warnings.slice(0, 5).join(' ')}`);
    return took;
  }

  async #turn(minutes: number, spreadMs: number): Promise<{ took: number[]; expected: number }> {
    this.#took.length = 0;
    let expected = 0;
    for (let round = 0; round < minutes; round += 1, this.#minute += 1) {
      if (this.#minute % 2 === 0) expected += SYMBOLS;
      // A timer may be early, a close may not.
      const end = this.#began + ((this.#minute + 1) * 60_000) / RATE + 2;
      for (let index = 0; index < SYMBOLS; index += 1) {
        const due = end + (index / SYMBOLS) * spreadMs - performance.now();
        if (due > 0.5) await wait(due);
        this.#close(index);
      }
    }
    await wait(400);
    return { took: [...this.#took], expected };
  }

  async close(): Promise<void> {
    await this.#loaded?.stop();
    await this.#world?.close();
  }
}

/** From the last byte of a closed candle to its signal on the feed, at a client. */
export function signalLatencyRow(): BenchRow {
  let course: Course | undefined;
  return {
    id: 'machine.signal-latency', unit: 'ms', must: 3, p99: 15, runs: RUNS,
    what: `20 traders × ${SYMBOLS} symbols on 1m, one vCPU: a closed candle written to the machine's socket until its signal (screened, committed to disk, sent) is with a client of the feed, both on this computer; the ${SYMBOLS} closes of a minute within ${SPREAD_MS} ms, a signal on every second of them`,
    measure: async () => (course ??= await Course.start()).run(MINUTES_A_RUN, SPREAD_MS),
    also: async () => {
      const burst = await course!.run(MINUTES_A_RUN, 0);
      await course!.close();
      return [{ name: `all ${SYMBOLS} closes in one moment, p50`, unit: 'ms', value: percentile(burst, 0.5) }, { name: `all ${SYMBOLS} closes in one moment, p99`, unit: 'ms', value: percentile(burst, 0.99) }];
    },
  };
}
