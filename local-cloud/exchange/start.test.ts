import { fork, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { WebSocket } from 'ws';
import { recordings } from '../../tests/support/recordings.ts';
import { DAY, MINUTE } from './market/intervals.ts';
import { connectTo, ends, eventually, get, marketTime, rows, scratch, start } from './test-world.ts';
import type { ExchangeOptions } from './start.ts';

/** Starts; expects a refusal and returns its code. */
async function refusal(options: Partial<ExchangeOptions>): Promise<string> {
  return start(options).then(() => 'started', (error: { code: string }) => error.code);
}

describe('REST', () => {
  test('tells market time and how fast it runs', async () => {
    const { exchange, wall } = await start();
    const before = await marketTime(exchange);
    wall.now += 1_000;
    const { headers, body } = await get(exchange, '/api/v3/time');
    expect(body['serverTime']).toBe(before + MINUTE);
    expect(headers.get('x-market-clock-rate')).toBe('60');
    expect(headers.get('x-mbx-used-weight-1m')).toBe('2');
  });

  test('serves klines as twelve columns, the last one forming, and never the future', async () => {
    const { exchange, wall } = await start();
    const [closed, forming] = (await rows(exchange, 'symbol=BTCUSDT&interval=5m&limit=2')) as [(string | number)[], (string | number)[]];
    expect(closed.map((cell) => typeof cell)).toEqual(['number', 'string', 'string', 'string', 'string', 'string', 'number', 'string', 'number', 'string', 'string', 'string']);
    expect([forming[0], forming[6]]).toEqual([Date.UTC(2026, 4, 6, 10), Date.UTC(2026, 4, 6, 10, 5) - 1]);
    expect(forming[0]).toBe((closed[6] as number) + 1);
    for (let i = 0; i < 6; i++) {
      wall.now += 1_000;
      await marketTime(exchange);
    }
    const [final] = (await rows(exchange, `symbol=BTCUSDT&interval=5m&startTime=${forming[0]}&limit=1`)) as [(string | number)[]];
    expect([final[0], final[1]]).toEqual([forming[0], forming[1]]);
    expect(Number(final[5])).toBeGreaterThan(Number(forming[5]));
    expect(Number(final[2])).toBeGreaterThanOrEqual(Number(forming[2]));
    expect(await rows(exchange, 'symbol=BTCUSDT&interval=1m')).toHaveLength(500);
    expect(await rows(exchange, 'symbol=BTCUSDT&interval=1m&limit=5000')).toHaveLength(1_000);
  });

  test('describes its symbols with real filters', async () => {
    const { exchange } = await start();
    const { body } = await get(exchange, '/api/v3/exchangeInfo');
    const symbols = body['symbols'] as { symbol: string; status: string; permissionSets: string[][]; filters: { filterType: string; tickSize?: string }[] }[];
    expect(symbols).toHaveLength(20);
    const btc = symbols[0];
    expect([btc?.symbol, btc?.status, btc?.permissionSets[0]?.[0]]).toEqual(['BTCUSDT', 'TRADING', 'SPOT']);
    expect(btc?.filters.map((filter) => filter.filterType)).toEqual(expect.arrayContaining(['PRICE_FILTER', 'LOT_SIZE', 'MARKET_LOT_SIZE', 'NOTIONAL', 'PERCENT_PRICE_BY_SIDE', 'MAX_NUM_ALGO_ORDERS']));
    const two = await get(exchange, `/api/v3/exchangeInfo?symbols=${encodeURIComponent('["JUPUSDT","ETHUSDT"]')}`);
    expect((two.body['symbols'] as { symbol: string }[]).map(({ symbol }) => symbol)).toEqual(['JUPUSDT', 'ETHUSDT']);
    expect(((await get(exchange, '/api/v3/exchangeInfo?symbolStatus=BREAK')).body['symbols'] as unknown[])).toEqual([]);
  });

  test('gives the rolling 24 hours for one, several and all symbols, as klines tell them', async () => {
    const { exchange } = await start();
    const one = (await get(exchange, '/api/v3/ticker/24hr?symbol=ETHUSDT')).body;
    const minutes = [...(await rows(exchange, `symbol=ETHUSDT&interval=1m&limit=1000`)), ...(await rows(exchange, `symbol=ETHUSDT&interval=1m&startTime=${Number(one['openTime'])}&limit=440`))];
    expect(one['highPrice']).toBe(minutes.reduce((high, row) => (Number(row[2]) > Number(high) ? String(row[2]) : high), '0'));
    expect(Number(one['volume'])).toBeCloseTo(minutes.reduce((sum, row) => sum + Number(row[5]), 0), 4);
    expect((one['closeTime'] as number) - (one['openTime'] as number)).toBeLessThan(DAY);
    const all = (await get(exchange, '/api/v3/ticker/24hr?type=MINI')).body as unknown as { symbol: string }[];
    expect(all).toHaveLength(20);
    expect(all[0]).not.toHaveProperty('bidPrice');
    const prices = (await get(exchange, `/api/v3/ticker/price?symbols=${encodeURIComponent('["ETHUSDT"]')}`)).body as unknown;
    expect(prices).toEqual([{ symbol: 'ETHUSDT', price: one['lastPrice'] }]);
  });

  test.each([
    ['/api/v3/klines?interval=1m', 400, -1102],
    ['/api/v3/klines?symbol=BTCUSDT', 400, -1102],
    ['/api/v3/klines?symbol=&interval=1m', 400, -1105],
    ['/api/v3/klines?symbol=btcusdt&interval=1m', 400, -1100],
    ['/api/v3/klines?symbol=NOPE&interval=1m', 400, -1121],
    ['/api/v3/klines?symbol=BTCUSDT&interval=7m', 400, -1120],
    ['/api/v3/klines?symbol=BTCUSDT&interval=1m&limit=ten', 400, -1100],
    ['/api/v3/klines?symbol=BTCUSDT&interval=1m&limit=0', 400, -1130],
    ['/api/v3/klines?symbol=BTCUSDT&interval=1m&startTime=99999999999999999999', 400, -1108],
    ['/api/v3/klines?symbol=BTCUSDT&interval=1m&since=1', 400, -1104],
    ['/api/v3/klines?symbol=BTCUSDT&symbol=ETHUSDT&interval=1m', 400, -1101],
    ['/api/v3/exchangeInfo?symbols=BTCUSDT', 400, -1100],
    ['/api/v3/ticker/price?symbol=BTCUSDT&symbols=["ETHUSDT"]', 400, -1128],
    ['/api/v3/ticker/24hr?symbols=["ETHUSDT","ETHUSDT"]', 400, -1151],
    ['/api/v3/depth', 400, -1102],
    ['/api/v3/depth?symbol=BTCUSDT&limit=0', 400, -1130],
    ['/api/v3/aggTrades?symbol=BTCUSDT&fromId=1&startTime=1', 400, -1128],
    ['/api/v3/ticker', 400, -1128],
    ['/api/v3/ticker?symbol=BTCUSDT&windowSize=60m', 400, -1130],
    ['/api/v3/avgPrice?symbol=NOPE', 400, -1121],
    ['/api/v3/nothing', 404, -1000],
    ['/api/v3/account', 401, -2014],
  ])('refuses %s with %i and %i', async (path, status, code) => {
    const { exchange } = await start();
    const answer = await get(exchange, path);
    expect([answer.status, answer.body.code]).toEqual([status, code]);
    expect(answer.body.msg).toMatch(/\w/);
  });

  test('knows its own API key, and refuses strangers by Host and Origin', async () => {
    const { exchange } = await start({ token: 'key', allowedOrigins: ['http://127.0.0.1:3000'] });
    expect((await get(exchange, '/api/v3/order', { 'x-mbx-apikey': 'other' })).body.code).toBe(-2015);
    expect((await get(exchange, '/api/v3/order', { 'x-mbx-apikey': 'key' })).body.code).toBe(-1020);
    expect((await get(exchange, '/api/v3/ping', { origin: 'https://evil.example' })).status).toBe(403);
    expect((await get(exchange, '/api/v3/ping', { origin: 'http://127.0.0.1:3000' })).headers.get('access-control-allow-origin')).toBe('http://127.0.0.1:3000');
    const raw = connect(exchange.port, '127.0.0.1');
    raw.write('GET /api/v3/ping HTTP/1.1\r\nHost: evil.example\r\nConnection: close\r\n\r\n');
    const [first] = (await once(raw, 'data')) as [Buffer];
    expect(first.toString()).toContain('421');
    raw.destroy();
    await expect(connectTo(exchange, '/ws', { headers: { origin: 'https://evil.example' } })).rejects.toThrow('403');
    await expect(connectTo(exchange, '/elsewhere')).rejects.toThrow('404');
    await expect(connectTo(exchange, '/ws/%E0%A4%A')).rejects.toThrow('404');
  });

  test.each([
    ['ping', 1], ['exchangeInfo', 20], ['klines?symbol=BTCUSDT&interval=1m', 2], ['depth?symbol=BTCUSDT', 5], ['depth?symbol=BTCUSDT&limit=500', 25], ['depth?symbol=BTCUSDT&limit=1000', 50],
    ['depth?symbol=BTCUSDT&limit=5000', 250], ['trades?symbol=BTCUSDT', 25], ['historicalTrades?symbol=BTCUSDT', 25], ['aggTrades?symbol=BTCUSDT', 4], ['avgPrice?symbol=BTCUSDT', 2],
    ['ticker/24hr?symbol=BTCUSDT', 2], ['ticker/24hr', 80], ['ticker/price', 4], ['ticker/bookTicker?symbol=BTCUSDT', 2], ['ticker/bookTicker', 4], ['ticker?symbol=BTCUSDT', 4], ['ticker/tradingDay?symbols=["BTCUSDT","ETHUSDT"]', 8],
  ])('charges %s with a weight of %i', async (path, weight) => {
    const { exchange } = await start();
    const { status, headers } = await get(exchange, `/api/v3/${path}`);
    expect([status, headers.get('x-mbx-used-weight-1m')]).toEqual([200, String(weight)]);
  });

  test('bites when the weight of a minute is used up', async () => {
    const { exchange, wall } = await start();
    const all = () => get(exchange, '/api/v3/ticker/24hr?type=MINI');
    for (let i = 0; i < 75; i++) expect((await all()).status).toBe(200);
    const limited = await all();
    expect([limited.status, limited.body.code, limited.headers.get('retry-after')]).toEqual([429, -1003, '30']);
    wall.now += 30_000;
    expect((await all()).status).toBe(200);
  });
});

describe('streams', () => {
  test('send wrapped frames whose closes are what REST says', async () => {
    const { exchange, wall } = await start();
    const { frames } = await connectTo(exchange, '/stream?streams=btcusdt@kline_1m/btcusdt@miniTicker/!miniTicker@arr');
    const open = Date.UTC(2026, 4, 6, 10);
    type Wrapped = { stream: string; data: { e: string; s: string; c: string; k: { t: number; x: boolean; o: string; h: string; l: string; c: string; v: string } } };
    const wrapped = () => frames as unknown as Wrapped[];
    await eventually(() => new Set(wrapped().map((frame) => frame.stream)).size).toBe(3);
    for (let i = 0; i < 4; i++) {
      wall.now += 1_000;
      await eventually(() => wrapped().filter((frame) => frame.data.k?.x).length).toBe(i + 1);
    }
    const closes = wrapped().filter((frame) => frame.data.k?.x).map(({ data: { k } }) => [k.t, k.o, k.h, k.l, k.c, k.v]);
    expect(closes).toEqual((await rows(exchange, `symbol=BTCUSDT&interval=1m&startTime=${open}&limit=4`)).map((row) => row.slice(0, 6)));
    const all = frames.findLast((frame) => frame['stream'] === '!miniTicker@arr')?.['data'] as { e: string; s: string }[];
    expect([all.length, all[0]?.e]).toEqual([20, '24hrMiniTicker']);
  });

  test('are raw under /ws, and follow control frames', async () => {
    const { exchange } = await start();
    const { socket, frames } = await connectTo(exchange, '/ws');
    socket.send('{"method":"SUBSCRIBE","params":["ethusdt@kline_1h"],"id":1}');
    await eventually(() => frames.length).toBeGreaterThan(1);
    expect(frames[0]).toEqual({ result: null, id: 1 });
    expect(frames[1]).toMatchObject({ e: 'kline', s: 'ETHUSDT', k: { i: '1h', x: false } });
    socket.send('{"method":"LIST_SUBSCRIPTIONS","id":2}');
    await eventually(() => frames).toContainEqual({ result: ['ethusdt@kline_1h'], id: 2 });
  });

  test('end a client that sends more than five messages a second, or names too many streams', async () => {
    const { exchange } = await start();
    const chatty = await connectTo(exchange, '/ws');
    for (let i = 0; i < 6; i++) chatty.socket.send(`{"method":"LIST_SUBSCRIPTIONS","id":${i}}`);
    expect(await chatty.closed).toBe(1008);
    const greedy = await connectTo(exchange, `/stream?streams=${Array.from({ length: 1_025 }, (_, i) => `s${i}@trade`).join('/')}`);
    expect(await greedy.closed).toBe(1008);
  });

  test('ping every 20 seconds, end a client that does not answer within a minute, and keep one that does', async () => {
    const { exchange, wall } = await start({ speed: 1 });
    const deaf = await connectTo(exchange, '/ws', { autoPong: false });
    const alive = await connectTo(exchange, '/ws');
    const pings: string[] = [];
    alive.socket.on('ping', (data: Buffer) => pings.push(data.toString()));
    for (let i = 1; i <= 4; i++) {
      wall.now += 20_000;
      await eventually(() => pings.length).toBe(i);
      await new Promise((resolve) => { setTimeout(resolve, 60); });
    }
    expect(await deaf.closed).toBe(1006);
    expect(alive.socket.readyState).toBe(WebSocket.OPEN);
  });

  test('end a client that does not read instead of buffering for ever', async () => {
    const { exchange, wall, lines } = await start({ symbols: 300, speed: 3_600 });
    const symbols = ((await get(exchange, '/api/v3/exchangeInfo')).body['symbols'] as { symbol: string }[]).map(({ symbol }) => symbol.toLowerCase());
    const { socket, frames, closed } = await connectTo(exchange, '/ws');
    socket.send(JSON.stringify({ method: 'SUBSCRIBE', params: symbols.flatMap((symbol) => ['1m', '3m', '5m'].map((interval) => `${symbol}@kline_${interval}`)), id: 1 }));
    await eventually(() => frames.length).toBeGreaterThan(0);
    socket.pause();
    await eventually(() => {
      wall.now += 400;
      return lines.map((line) => line['event']);
    }).toContain('slow_client_closed');
    socket.resume();
    expect(await closed).toBe(1006);
  });
});

describe('a data folder', () => {
  test('continues its market where it paused, to the digit, also at another speed', async () => {
    const first = await start();
    first.wall.now += 1_000;
    const before = await rows(first.exchange, 'symbol=JUPUSDT&interval=15m&limit=100');
    const time = await marketTime(first.exchange);
    await first.exchange.close();
    ends.pop();
    const wall = { now: first.wall.now + 3 * DAY };
    const again = await start({ dataDir: first.dataDir, market: undefined, seed: undefined, speed: 1 }, wall);
    expect(await marketTime(again.exchange)).toBe(time);
    expect(await rows(again.exchange, 'symbol=JUPUSDT&interval=15m&limit=100')).toEqual(before);
  });

  test('refuses another market or seed, a damaged state, and nonsense, with a code', async () => {
    const { exchange, dataDir } = await start();
    await exchange.close();
    ends.pop();
    const candles = join(scratch(), 'ABCUSDT-1m.csv');
    writeFileSync(candles, `openTime,open,high,low,close,volume\n${Date.UTC(2024, 0, 1)},1,1,1,1,1\n`);
    expect(await refusal({ dataDir, market: candles, seed: undefined })).toBe('market_changed');
    expect(await refusal({ dataDir, seed: 'other' })).toBe('market_changed');
    expect(await refusal({ speed: -1 })).toBe('invalid_option');
    expect(await refusal({ symbols: 501 })).toBe('invalid_option');
    expect(await refusal({ market: '/nowhere' })).toBe('candles_not_found');
    writeFileSync(join(dataDir, 'market.json'), '{"version":1');
    expect(await refusal({ dataDir })).toBe('market_state_unreadable');
  });

  test('is not touched by a start that finds its port taken', async () => {
    const { exchange, dataDir } = await start();
    const before = readFileSync(join(dataDir, 'market.json'), 'utf8');
    expect(await refusal({ dataDir, port: exchange.port })).toBe('EADDRINUSE');
    expect(readFileSync(join(dataDir, 'market.json'), 'utf8')).toBe(before);
  });
});

describe('recorded candles', () => {
  const folder = recordings('klines');
  test.skipIf(folder === null)('are shifted so that all overlap, play on, and halt at their end with a word', async () => {
    const wall = { now: Date.UTC(2026, 10, 22, 23) };
    const { exchange, lines } = await start({ market: folder!, seed: undefined, speed: 3_600 }, wall);
    expect(await marketTime(exchange)).toBe(Date.UTC(2026, 10, 16, 6));
    const raw = (await rows(exchange, `symbol=BTCUSDT&interval=1m&startTime=0&limit=1`))[0];
    expect(raw?.slice(1, 6)).toEqual(['51552.61000000', '51657.05000000', '51545.00000000', '51613.38000000', '134.98921800']);
    for (let i = 0; i < 20; i++) {
      wall.now += 1_000;
      await marketTime(exchange);
    }
    await eventually(() => lines).toContainEqual(expect.objectContaining({ event: 'symbol_halted', symbol: 'LTCUSDT' }));
    const { body } = await get(exchange, '/_stand-in/market');
    expect(body['symbols']).toMatchObject([
      { symbol: 'BTCUSDT', shiftWeeks: 299, halted: false },
      { symbol: 'DASHUSDT', shiftWeeks: 322, halted: false },
      { symbol: 'LTCUSDT', shiftWeeks: 314, halted: true, source: 'LTCUSDT-1m-2020-11-08-2d.csv.gz', derived: ['quoteVolume', 'trades', 'takerBase', 'takerQuote'] },
    ]);
    const info = (await get(exchange, '/api/v3/exchangeInfo?symbol=LTCUSDT')).body['symbols'] as { status: string }[];
    expect(info[0]?.status).toBe('BREAK');
    expect((await get(exchange, '/api/v3/ticker/price?symbol=LTCUSDT')).body['price']).toBe('59.23000000');
  });
});

const timeAt = async (url: string) => ((await (await fetch(`${url}/api/v3/time`)).json()) as { serverTime: number }).serverTime;

describe('the process', () => {
  const program = `import { exchangeCommand } from ${JSON.stringify(new URL('command.ts', import.meta.url).href)}; await exchangeCommand().parseAsync();`;

  async function run(dataDir: string): Promise<{ child: ChildProcess; url: string }> {
    const entry = join(dataDir, 'entry.ts');
    writeFileSync(entry, program);
    const child = fork(entry, ['--port', '0', '--speed', '600', '--seed', 'p', '--data', dataDir], { silent: true, execArgv: ['--disable-warning=ExperimentalWarning'] });
    ends.push(() => { child.kill('SIGKILL'); });
    const [line] = (await once(child.stdout as NodeJS.ReadableStream, 'data')) as [Buffer];
    return { child, url: (JSON.parse(line.toString()) as { url: string }).url };
  }

  test('killed without warning never goes back in market time, and ends when its parent goes', async () => {
    const dataDir = scratch();
    let shown = 0;
    for (let i = 0; i < 3; i++) {
      const { child, url } = await run(dataDir);
      const time = await timeAt(url);
      expect(time).toBeGreaterThanOrEqual(shown);
      shown = await timeAt(url);
      child.kill('SIGKILL');
      await once(child, 'exit');
    }
    const { child, url } = await run(dataDir);
    expect(await timeAt(url)).toBeGreaterThanOrEqual(shown);
    child.disconnect();
    const [code] = (await once(child, 'exit')) as [number];
    expect(code).toBe(0);
    expect(JSON.parse(readFileSync(join(dataDir, 'market.json'), 'utf8'))).toMatchObject({ clock: { paused: true } });
  });
});
