import { expect, test } from 'vitest';
import { connectTo, get, settled, start, step } from '../test-world.ts';

const MINUTE = 60_000;

interface Kline { t: number; T: number; i: string; o: string; h: string; l: string; c: string; v: string; q: string; V: string; n: number; x: boolean; f: number; L: number }
interface Trade { t: number; p: string; q: string; T: number; m: boolean }
interface Depth { U: number; u: number; b: [string, string][]; a: [string, string][] }
type Level = [string, string];

const units = (text: string) => BigInt(text.replace('.', ''));
const sum = (texts: readonly string[]) => texts.reduce((all, text) => all + units(text), 0n);

test('every stream of a symbol tells the same market: trades, candles, seconds, tickers and the book', async () => {
  const { exchange } = await start({ speed: 0, adminPort: 0, seed: 'agree' }, { now: Date.UTC(2026, 4, 6, 10, 0, 40) });
  const kinds = ['trade', 'aggTrade', 'bookTicker', 'depth@100ms', 'depth5@100ms', 'kline_1m', 'kline_1s', 'miniTicker', 'ticker'];
  const client = await connectTo(exchange, `/stream?streams=${kinds.map((kind) => `ethusdt@${kind}`).join('/')}`);
  await step(exchange, 1_000, 100);
  const snapshot = (await get(exchange, '/api/v3/depth?symbol=ETHUSDT&limit=5000')).body as unknown as { lastUpdateId: number; bids: Level[]; asks: Level[] };
  await step(exchange, 2 * MINUTE, 200);
  await settled(client);
  const frames = client.frames as { stream: string; data: unknown }[];
  const of = <T>(kind: string) => frames.filter(({ stream }) => stream === `ethusdt@${kind}`).map(({ data }) => data as T);

  const trades = of<Trade>('trade');
  expect(trades.map(({ t }) => t)).toEqual(trades.map((_, i) => (trades[0] as Trade).t + i));
  expect(of<Trade & { a: number; f: number; l: number }>('aggTrade').map(({ a, f, l, p, q, T }) => [a, f, l, p, q, T])).toEqual(trades.map(({ t, p, q, T }) => [t, t, t, p, q, T]));

  const closed = of<{ k: Kline }>('kline_1m').map(({ k }) => k).filter(({ x }) => x);
  expect(closed.length).toBe(2);
  for (const k of closed.slice(1)) {
    const own = trades.filter(({ T }) => T >= k.t && T <= k.T);
    const prices = own.map(({ p }) => Number(p));
    const bought = own.filter(({ m }) => !m);
    expect([k.o, k.h, k.l, k.c].map(Number)).toEqual([prices[0], Math.max(...prices), Math.min(...prices), prices.at(-1)]);
    expect([k.n, k.f, k.L, units(k.v), units(k.V)]).toEqual([own.length, own[0]?.t, own.at(-1)?.t, sum(own.map(({ q }) => q)), sum(bought.map(({ q }) => q))]);
    expect(units(k.q)).toBe(own.reduce((all, { p, q }) => all + (units(p) * units(q)) / 100_000_000n, 0n));
    const seconds = of<{ k: Kline }>('kline_1s').map((one) => one.k).filter(({ x, t }) => x && t >= k.t && t < k.T);
    expect([sum(seconds.map(({ v }) => v)), seconds.reduce((all, { n }) => all + n, 0)]).toEqual([units(k.v), k.n]);
    // What a minute is made of is told before its close.
    const close = frames.findIndex(({ data }) => (data as { k?: Kline }).k === k);
    expect(frames.slice(close).some(({ stream, data }) => stream === 'ethusdt@trade' && (data as Trade).T <= k.T)).toBe(false);
  }

  const book = { b: new Map(snapshot.bids), a: new Map(snapshot.asks) };
  const top = (side: 'b' | 'a') => [...book[side]].toSorted(([p], [q]) => (side === 'b' ? Number(q) - Number(p) : Number(p) - Number(q))).slice(0, 5);
  const partial = new Map(of<{ lastUpdateId: number; bids: Level[]; asks: Level[] }>('depth5@100ms').map((one) => [one.lastUpdateId, one]));
  let [last, compared] = [snapshot.lastUpdateId, 0];
  for (const { U, u, b, a } of of<Depth>('depth@100ms')) {
    if (u <= snapshot.lastUpdateId) continue;
    expect(last === snapshot.lastUpdateId ? U <= last + 1 : U === last + 1).toBe(true);
    last = u;
    for (const [side, levels] of [[book.b, b], [book.a, a]] as const) {
      for (const [price, quantity] of levels) {
        if (Number(quantity) === 0) side.delete(price);
        else side.set(price, quantity);
      }
    }
    const shown = partial.get(u);
    if (!shown) continue;
    compared += 1;
    expect([top('b'), top('a')]).toEqual([shown.bids, shown.asks]);
  }
  expect(compared).toBeGreaterThan(300);

  const touches = of<{ u: number; b: string; B: string; a: string; A: string }>('bookTicker');
  expect(touches.every(({ u }, i) => i === 0 || u > (touches[i - 1]?.u ?? 0))).toBe(true);
  const touch = touches.at(-1);
  expect([top('b')[0], top('a')[0]]).toEqual([[touch?.b, touch?.B], [touch?.a, touch?.A]]);
  const ticker = of<{ c: string; Q: string; L: number; b: string; a: string }>('ticker').at(-1);
  const told = trades.find(({ t }) => t === ticker?.L);
  expect([ticker?.c, ticker?.Q]).toEqual([told?.p, told?.q]);
  expect(touches.some(({ b, a }) => b === ticker?.b && a === ticker.a)).toBe(true);
});
