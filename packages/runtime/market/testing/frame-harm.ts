import { intervalMs, type Interval } from '@trademind/core';
import { damaged, withStranger, type Draws } from './harm.ts';
import type { TrueMarket } from './true-market.ts';

export interface Harmed { kind: string; bytes: Buffer; isBinary?: boolean }

interface KlineFrame { stream: string; data: { e: string; E: number; s: string; k: Record<string, unknown> & { t: number; T: number; s: string; i: string } } }

export interface FrameContext {
  market: TrueMarket;
  symbols: readonly string[];
  intervals: readonly Interval[];
  /** Market time. */
  now: number;
  draws: Draws;
}

/** A frame that no exchange sends, made of one that it does; `kind` names what was done to it. */
export function harmedFrame(context: FrameContext): Harmed {
  const { draws } = context;
  const kind = draws.of(KINDS);
  const made: string | Buffer | { bytes: Buffer; isBinary: boolean } = HARMS[kind](context);
  return { kind, ...(typeof made === 'string' ? { bytes: Buffer.from(made) } : Buffer.isBuffer(made) ? { bytes: made } : made) };
}

/** A frame as the exchange may send it now: the candle under way or the one before, a trade, a ticker, a book. */
function trueFrame({ market, symbols, intervals, now, draws }: FrameContext): string {
  const [symbol, interval] = [draws.of(symbols), draws.of(intervals)];
  const open = now - (now % intervalMs(interval));
  const stream = (name: string, data: unknown) => JSON.stringify({ stream: name, data });
  const ticker = (s: string) => ({ e: '24hrMiniTicker', E: now, s, c: '2.5', o: '1', h: '3', l: '1', v: '4', q: '5' });
  switch (draws.within(0, 6)) {
    case 0: return stream(`${symbol.toLowerCase()}@trade`, { e: 'trade', E: now, s: symbol, t: 1, p: '2.5', q: '1', T: now, m: true, M: true });
    case 1: return stream(`${symbol.toLowerCase()}@bookTicker`, { u: 1, s: symbol, b: '2.4', B: '1', a: '2.6', A: '1' });
    case 2: return stream('!miniTicker@arr', symbols.map(ticker));
    case 3: return market.frame(symbol, interval, open - intervalMs(interval), now, true);
    default: return market.frame(symbol, interval, open, now, false);
  }
}

function kline(context: FrameContext, change: (frame: KlineFrame, symbol: string, interval: Interval) => void): string {
  const { market, symbols, intervals, now, draws } = context;
  const [symbol, interval] = [draws.of(symbols), draws.of(intervals)];
  const open = now - (now % intervalMs(interval));
  const closed = draws.chance(0.7);
  const openTime = closed ? open - intervalMs(interval) : open;
  const frame = JSON.parse(market.frame(symbol, interval, openTime, now, closed)) as KlineFrame;
  change(frame, symbol, interval);
  return JSON.stringify(frame);
}

const HARMS = {
  damaged: (context) => damaged(trueFrame(context), context.draws),
  stranger: (context) => withStranger(trueFrame(context), context.draws),
  'closed stranger': (context) => withStranger(kline(context, () => undefined), context.draws),
  'two strangers': (context) => {
    try {
      return withStranger(withStranger(trueFrame(context), context.draws), context.draws);
    } catch {
      // The first was no JSON.
      return 'NaN';
    }
  },
  spliced: (context) => {
    const [head, tail] = [Buffer.from(trueFrame(context)), Buffer.from(trueFrame(context))];
    return Buffer.concat([head.subarray(0, context.draws.within(0, head.length)), tail.subarray(context.draws.within(0, tail.length))]);
  },
  'other symbol': (context) => kline(context, ({ data }, symbol) => {
    const other = context.draws.of(context.symbols.filter((one) => one !== symbol));
    if (context.draws.chance(0.5)) data.s = other;
    else data.k.s = other;
  }),
  'other interval': (context) => kline(context, ({ data }, _symbol, interval) => { data.k.i = context.draws.of(['1s', '3m', '1M', '7m', ...context.intervals].filter((one) => one !== interval)); }),
  'off the grid': (context) => kline(context, ({ data: { k } }) => { k[context.draws.of(['t', 'T'])] = k.t + context.draws.within(1, 59_998); }),
  contradiction: (context) => kline(context, ({ data: { k } }) => {
    const { draws } = context;
    const lies: [string, string][] = [['h', '0.00000001'], ['l', '99999999'], ['o', '99999999'], ['c', '0.00000001'], ['v', '-1'], ['V', '999999999'], ['q', '0.00000001'], ['q', '99999999999999'], ['c', '0']];
    const [name, value] = draws.of(lies);
    k[name] = value;
  }),
  future: (context) => kline(context, ({ data }, _symbol, interval) => {
    const { draws } = context;
    const far = draws.chance(0.5) ? draws.within(1, 5) : draws.within(6, 1_000_000);
    for (const name of ['t', 'T'] as const) data.k[name] += far * intervalMs(interval);
    data.k['x'] = true;
    data.E = data.k.T + draws.within(1, 500);
  }),
  'end of time': (context) => kline(context, ({ data }, _symbol, interval) => {
    const length = intervalMs(interval);
    data.k.t = Math.floor(context.draws.of([8.64e15, 9.007e15, 4.2e12]) / length) * length;
    data.k.T = data.k.t + length - 1;
    data.k['x'] = true;
    data.E = data.k.T + 1;
  }),
  'closed too early': (context) => kline(context, ({ data }, _symbol, interval) => {
    const { draws, now } = context;
    data.k.t = now - (now % intervalMs(interval));
    data.k.T = data.k.t + intervalMs(interval) - 1;
    data.k['x'] = true;
    data.E = draws.chance(0.5) ? now : data.k.T + 1;
  }),
  'old lie': (context) => kline(context, ({ data: { k } }, _symbol, interval) => {
    const back = context.draws.within(1, 20) * intervalMs(interval);
    k.t -= back;
    k.T -= back;
    k['x'] = true;
  }),
  answer: ({ draws }) => draws.of([
    `{"result":null,"id":${draws.within(-5, 50)}}`, `{"error":{"code":2,"msg":"Invalid request"},"id":${draws.within(1, 50)}}`, `{"code":-1,"msg":{"toString":null},"id":${draws.within(1, 50)}}`,
    `{"error":{"code":{"toString":null},"msg":["a"]},"id":${draws.within(1, 50)}}`, '{"error":7,"id":1}', '{"id":1e999,"result":null}', '{"result":{"toString":null},"id":"1"}', `{"id":${draws.within(1, 50)},"data":null}`,
  ]),
  shutdown: ({ draws }) => (draws.chance(0.1) ? '{"e":"serverShutdown","E":1}' : '{"stream":"!serverShutdown","data":{"e":"serverShutdown!"}}'),
  'no object': ({ draws }) => draws.of(['', ' ', 'null', '7', '[]', '[null]', '"text"', '{}', '{"stream":1,"data":[]}', '{"stream":"!miniTicker@arr","data":[null]}', '{"stream":"!miniTicker@arr","data":[{"e":"24hrMiniTicker"},7]}', '\uFEFF{}', '\u0000', '<html>502</html>', '{"data":{"e":{"toString":null}}}', '{"stream":{"toString":null},"data":{"e":"kline","k":{}}}']),
  deep: ({ draws }) => (draws.chance(0.05) ? '['.repeat(draws.within(1, 100_000)) : `{"stream":"a@trade","data":${'{"e":'.repeat(50)}1${'}'.repeat(50)}}`),
  unknown: ({ draws }) => `{"stream":"${String.fromCharCode(...Array.from({ length: 8 }, () => draws.within(97, 122)))}@kline_1m","data":{"e":"${draws.of(['forceOrder', 'kline', '__proto__', 'toString'])}","E":${draws.within(0, 9e15)},"s":"X"}}`,
  'price at a wrong time': ({ symbols, draws }) => {
    const symbol = draws.of(symbols);
    return JSON.stringify({ stream: `${symbol.toLowerCase()}@trade`, data: { e: 'trade', E: draws.of([-8, 0, 1, 4e12, 9e15, 1.5, draws.within(0, 9e15)]), s: symbol, t: 1, p: '2.5', q: '1', T: 1, m: true, M: true } });
  },
  binary: (context) => ({ bytes: context.draws.chance(0.5) ? Buffer.from(trueFrame(context)) : Buffer.from(Array.from({ length: 50 }, () => context.draws.within(0, 255))), isBinary: true }),
} satisfies Record<string, (context: FrameContext) => string | Buffer | { bytes: Buffer; isBinary: boolean }>;

const KINDS = Object.keys(HARMS) as (keyof typeof HARMS)[];
