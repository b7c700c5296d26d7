import { describe, expect, test } from 'vitest';
import { admin, connectTo, ends, get, rows, settled, start, step } from '../test-world.ts';

const MINUTE = 60_000;
const BEGIN = { now: Date.UTC(2026, 4, 6, 10, 0, 30) };
const minute = (n: number) => Date.UTC(2026, 4, 6, 10) + n * MINUTE;
const stepped = () => start({ speed: 0, adminPort: 0 }, { ...BEGIN });

describe('a halt', () => {
  test('leaves the symbol without candles, trades and frames, and says so; then its trades count on', async () => {
    const { exchange } = await stepped();
    const client = await connectTo(exchange, '/stream?streams=btcusdt@kline_1m/btcusdt@trade/btcusdt@depth@100ms/ethusdt@kline_1m');
    expect(await admin(exchange, 'POST', '/faults', { kind: 'halt', symbol: 'BTCUSDT', minutes: 3 })).toMatchObject({ status: 201 });
    const status = async () => ((await get(exchange, '/api/v3/exchangeInfo?symbol=BTCUSDT')).body['symbols'] as { status: string }[])[0]?.status;
    const lastTrade = async () => ((await get(exchange, '/api/v3/trades?symbol=BTCUSDT&limit=1')).body as unknown as { id: number; time: number }[])[0];
    expect(await status()).toBe('TRADING');
    await step(exchange, 45_000, 1_000);
    await settled(client);
    const before = client.frames.filter((frame) => String(frame['stream']).startsWith('btc')).length;
    expect(await status()).toBe('HALT');
    const stopped = await lastTrade();
    await step(exchange, 2 * MINUTE, 1_000);
    await settled(client);
    expect(client.frames.filter((frame) => String(frame['stream']).startsWith('btc'))).toHaveLength(before);
    expect(client.frames.filter((frame) => frame['stream'] === 'ethusdt@kline_1m').length).toBeGreaterThan(50);
    expect(await lastTrade()).toEqual(stopped);

    await step(exchange, 3 * MINUTE, 1_000);
    expect(await status()).toBe('TRADING');
    expect((await rows(exchange, `symbol=BTCUSDT&interval=1m&startTime=${minute(0)}`)).map((row) => row[0])).toEqual([minute(0), minute(4), minute(5), minute(6)]);
    const next = (await get(exchange, `/api/v3/historicalTrades?symbol=BTCUSDT&fromId=${(stopped?.id ?? 0) + 1}&limit=1`)).body as unknown as { time: number }[];
    expect(next[0]?.time).toBeGreaterThanOrEqual(minute(4));
    const [five] = await rows(exchange, `symbol=BTCUSDT&interval=5m&startTime=${minute(0)}&limit=1`);
    const ones = await rows(exchange, `symbol=BTCUSDT&interval=1m&startTime=${minute(0)}&endTime=${minute(5) - 1}`);
    expect(five?.[8]).toBe(ones.reduce((sum, row) => sum + Number(row[8]), 0));
  });

  test('is remembered by the data folder', async () => {
    const world = await stepped();
    await admin(world.exchange, 'POST', '/faults', { kind: 'halt', symbol: 'ETHUSDT', minutes: 2 });
    await step(world.exchange, 5 * MINUTE);
    const before = await rows(world.exchange, `symbol=ETHUSDT&interval=1m&startTime=${minute(0)}`);
    await world.exchange.close();
    ends.pop();
    const { exchange } = await start({ speed: 0, adminPort: 0, dataDir: world.dataDir, market: undefined, seed: undefined }, world.wall);
    expect(await rows(exchange, `symbol=ETHUSDT&interval=1m&startTime=${minute(0)}`)).toEqual(before);
    expect(before.map((row) => row[0])).toEqual([minute(0), minute(3), minute(4), minute(5)]);
  });
});

describe('a crash', () => {
  test('takes the price down as far as it was told, with more volume, and back', async () => {
    const { exchange } = await stepped();
    const [usual] = await rows(exchange, `symbol=SOLUSDT&interval=1m&endTime=${minute(0) - 1}&limit=1`);
    await admin(exchange, 'POST', '/faults', { kind: 'crash', symbol: '*', depth: 0.5, minutes: 4, recoverMinutes: 10 });
    await step(exchange, 20 * MINUTE);
    const closes = (await rows(exchange, `symbol=SOLUSDT&interval=1m&startTime=${minute(0)}`)).map((row) => Number(row[4]));
    const from = Number(usual?.[4]);
    expect((closes[4] ?? 0) / from).toBeGreaterThan(0.45);
    expect((closes[4] ?? 0) / from).toBeLessThan(0.55);
    expect((closes[15] ?? 0) / from).toBeGreaterThan(0.9);
    const volumes = (await rows(exchange, `symbol=SOLUSDT&interval=1m&startTime=${minute(0)}`)).map((row) => Number(row[7]));
    const mean = (values: number[]) => values.reduce((sum, value) => sum + value, 0) / values.length;
    expect(mean(volumes.slice(1, 5))).toBeGreaterThan(2 * mean(volumes.slice(16, 20)));
  });

  test('cannot meet another event of its symbol, a stranger, or a recording', async () => {
    const { exchange } = await stepped();
    await admin(exchange, 'POST', '/faults', { kind: 'crash', symbol: '*' });
    expect(await admin(exchange, 'POST', '/faults', { kind: 'halt', symbol: 'BTCUSDT' })).toMatchObject({ status: 409, message: expect.stringContaining('already') });
    expect(await admin(exchange, 'POST', '/faults', { kind: 'halt', symbol: 'NOPE' })).toMatchObject({ status: 400, message: expect.stringContaining('NOPE') });
  });
});
