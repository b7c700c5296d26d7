import { describe, expect, test } from 'vitest';
import { admin, connectTo, eventually, get, rows, settled, start, step, type Client, type World } from '../test-world.ts';

const MINUTE = 60_000;
/** A minute's beginning, as every stepped market here starts. */
const BEGIN = { now: Date.UTC(2026, 4, 6, 10, 0, 0) };

interface Kline { t: number; c: string; v: string; x: boolean }
const klines = (client: Client) => client.frames.map((frame) => (frame['data'] as { k?: Kline } | undefined)?.k).filter((k) => k !== undefined);
const closes = (client: Client) => klines(client).filter((k) => k.x).map((k) => k.t);

/** A stepped market with one client of BTC's minutes; `minutes(n)` plays n of them, update by update. */
async function stepped(path = '/stream?streams=btcusdt@kline_1m'): Promise<World & { client: Client; minutes: (count: number) => Promise<void>; post: (fault: unknown) => ReturnType<typeof admin> }> {
  const world = await start({ speed: 0, adminPort: 0 }, { ...BEGIN });
  const client = await connectTo(world.exchange, path);
  return {
    ...world, client,
    minutes: async (count) => { await step(world.exchange, count * MINUTE, 2_000); },
    post: (fault) => admin(world.exchange, 'POST', '/faults', fault),
  };
}
const minute = (n: number) => BEGIN.now + n * MINUTE;

describe('faults of frames', () => {
  test('drop what they match, as often as they were told, and are listed with their strikes', async () => {
    const { exchange, client, minutes, post } = await stepped();
    expect(await post({ kind: 'drop', stream: '*@kline_1m', contains: '"x":true', count: 2 })).toMatchObject({ status: 201, id: '1', strikes: 0, active: true });
    await minutes(4);
    await eventually(() => closes(client)).toEqual([minute(2), minute(3)]);
    expect(await admin(exchange, 'GET', '/faults')).toMatchObject({ faults: [{ id: '1', strikes: 2, active: false }] });
  });

  test('strike a share that their seed chooses, the same each time', async () => {
    const lost = async () => {
      const { client, minutes, post } = await stepped();
      await post({ kind: 'drop', chance: 0.5, seed: 'storm' });
      await minutes(3);
      await settled(client);
      return klines(client).map((k) => [k.t, k.v]);
    };
    const once = await lost();
    expect(once.length).toBeGreaterThan(10);
    expect(once.length).toBeLessThan(80);
    expect(await lost()).toEqual(once);
  });

  test('freeze a stream until they are removed, while the others go on', async () => {
    const { exchange, client, minutes, post } = await stepped('/stream?streams=btcusdt@kline_1m/ethusdt@kline_1m');
    const { id } = await post({ kind: 'freeze', stream: 'eth*' });
    await minutes(1);
    await eventually(() => new Set(client.frames.map((frame) => frame['stream']))).toEqual(new Set(['btcusdt@kline_1m']));
    expect(await admin(exchange, 'DELETE', `/faults/${String(id)}`)).toEqual({ status: 204 });
    await minutes(1);
    await eventually(() => client.frames.some((frame) => frame['stream'] === 'ethusdt@kline_1m')).toBe(true);
    expect(await admin(exchange, 'DELETE', `/faults/${String(id)}`)).toMatchObject({ status: 404 });
  });

  test('duplicate, truncate and corrupt', async () => {
    const { client, minutes, post } = await stepped();
    await post({ kind: 'duplicate', contains: '"x":true', times: 2 });
    await minutes(1);
    await eventually(() => closes(client)).toEqual([minute(0), minute(0), minute(0)]);
    const spoiled = async () => {
      await minutes(1);
      await settled(client);
      return client.texts.length - client.frames.length;
    };
    await post({ kind: 'truncate', contains: '"x":false', count: 1 });
    expect(await spoiled()).toBe(1);
    expect(client.texts.filter((text) => !text.endsWith('}'))).toHaveLength(1);
    await post({ kind: 'corrupt', contains: '"x":false', count: 1 });
    expect(await spoiled()).toBe(2);
  });

  test('reorder frames, and delay them without losing their order', async () => {
    const { client, minutes, post } = await stepped();
    await post({ kind: 'reorder', by: 3, contains: '"x":true', count: 1 });
    await minutes(2);
    await eventually(() => closes(client)).toEqual([minute(0), minute(1)]);
    const order = klines(client);
    const at = order.findIndex((k) => k.x);
    expect(order.slice(0, at).filter((k) => k.t === minute(1))).toHaveLength(3);
    const before = client.frames.length;
    await post({ kind: 'delay', ms: 300, count: 1 });
    const sentAt = performance.now();
    await minutes(1);
    await eventually(() => client.frames.length).toBeGreaterThan(before);
    expect(performance.now() - sentAt).toBeGreaterThan(250);
    await eventually(() => closes(client)).toEqual([minute(0), minute(1), minute(2)]);
    expect(klines(client).slice(before).map((k) => k.t)).toEqual(klines(client).slice(before).map((k) => k.t).toSorted((a, b) => a - b));
  });

  test.each(['utf8', 'frame'] as const)('corrupt the protocol itself (%s), so that a client must end', async (how) => {
    const { client, minutes, post } = await stepped();
    await post({ kind: 'corrupt', how, count: 1 });
    await minutes(1);
    expect(await client.closed).toBe(1006);
    expect(client.errors[0]).toMatch(how === 'utf8' ? /UTF-8/ : /RSV1/);
  });
});

describe('faults of connections', () => {
  test('stall one connection, pongs and answers included, and no other', async () => {
    const { exchange, client, minutes, post } = await stepped();
    const other = await connectTo(exchange, '/stream?streams=btcusdt@kline_1m');
    const { connections } = (await admin(exchange, 'GET', '/connections')) as unknown as { connections: { id: string; streams: number }[] };
    expect(connections).toMatchObject([{ id: '1', streams: 1 }, { id: '2', streams: 1 }]);
    await post({ kind: 'stall', connection: '1' });
    client.socket.send('{"method":"LIST_SUBSCRIPTIONS","id":1}');
    await minutes(1);
    await eventually(() => closes(other)).toEqual([minute(0)]);
    expect(client.texts).toEqual([]);
  });

  test('announce a shutdown, then close', async () => {
    const { client, post } = await stepped();
    const askedAt = performance.now();
    expect(await post({ kind: 'server-shutdown', closeAfterMs: 200 })).toMatchObject({ strikes: 1, active: false });
    expect(await client.closed).toBe(1001);
    expect(performance.now() - askedAt).toBeGreaterThan(190);
    expect(client.frames).toContainEqual({ stream: '!serverShutdown', data: { e: 'serverShutdown', E: BEGIN.now } });
  });

  test('close without a word, or with a code', async () => {
    const { exchange, client, post } = await stepped();
    await post({ kind: 'close' });
    expect(await client.closed).toBe(1006);
    const next = await connectTo(exchange, '/ws');
    await post({ kind: 'close', code: 1008 });
    expect(await next.closed).toBe(1008);
  });

  test('refuse new connections with a status', async () => {
    const { exchange, post } = await stepped();
    await post({ kind: 'refuse-connection', status: 451, count: 1 });
    await expect(connectTo(exchange, '/ws')).rejects.toThrow('451');
    await expect(connectTo(exchange, '/ws')).resolves.toBeDefined();
  });
});

describe('faults of the REST API', () => {
  const fails = async (world: { exchange: World['exchange'] }, path: string, withinMs = 60_000) => {
    try {
      const response = await fetch(world.exchange.url + path, { signal: AbortSignal.timeout(withinMs) });
      await response.json();
      return 'answered';
    } catch (error) {
      return (error as Error).name;
    }
  };

  test.each([[500, -1000], [503, -1008], [429, -1003], [418, -1003], [451, 0], [403, -1000]])('answer with %i', async (status, code) => {
    const world = await start({ adminPort: 0 });
    await admin(world.exchange, 'POST', '/faults', { kind: 'rest-status', status, path: '/api/v3/klines', count: 1 });
    const answer = await get(world.exchange, '/api/v3/klines?symbol=BTCUSDT&interval=1m');
    expect([answer.status, answer.body.code]).toEqual([status, code]);
    expect(answer.headers.get('retry-after')).toBe(status === 429 || status === 418 ? '5' : null);
    expect((await get(world.exchange, '/api/v3/ping')).status).toBe(200);
    expect(await rows(world.exchange, 'symbol=BTCUSDT&interval=1m&limit=2')).toHaveLength(2);
  });

  test('answer late, never, half, spoiled, in HTML, or break off', async () => {
    const world = await start({ adminPort: 0 });
    const strike = (fault: object) => admin(world.exchange, 'POST', '/faults', { count: 1, ...fault });
    await strike({ kind: 'rest-slow', ms: 200 });
    const sentAt = performance.now();
    expect(await fails(world, '/api/v3/time')).toBe('answered');
    expect(performance.now() - sentAt).toBeGreaterThan(150);
    await strike({ kind: 'rest-hang' });
    expect(await fails(world, '/api/v3/time', 500)).toBe('TimeoutError');
    await strike({ kind: 'rest-truncate' });
    expect(await fails(world, '/api/v3/time')).toBe('SyntaxError');
    await strike({ kind: 'rest-corrupt' });
    expect(await fails(world, '/api/v3/time')).toBe('SyntaxError');
    await strike({ kind: 'rest-status', status: 502, html: true });
    expect(await fails(world, '/api/v3/time')).toBe('SyntaxError');
    await strike({ kind: 'rest-reset' });
    expect(await fails(world, '/api/v3/time')).toBe('TypeError');
    expect(await fails(world, '/api/v3/time')).toBe('answered');
  });

  test('tell a clock that is wrong', async () => {
    const world = await start({ speed: 0, adminPort: 0 }, { ...BEGIN });
    const { id } = await admin(world.exchange, 'POST', '/faults', { kind: 'clock-skew', ms: -7_000 });
    expect((await get(world.exchange, '/api/v3/time')).body['serverTime']).toBe(BEGIN.now - 7_000);
    await admin(world.exchange, 'DELETE', `/faults/${String(id)}`);
    expect((await get(world.exchange, '/api/v3/time')).body['serverTime']).toBe(BEGIN.now);
  });
});

describe('faults of candles', () => {
  test('leave one out of a range, while the truth can still be asked for', async () => {
    const { exchange, minutes, post } = await stepped();
    await minutes(5);
    await post({ kind: 'missing-candle', symbol: 'BTCUSDT', interval: '1m', openTime: minute(2) });
    const times = (await rows(exchange, `symbol=BTCUSDT&interval=1m&startTime=${minute(0)}`)).map((row) => row[0]);
    expect(times).toEqual([0, 1, 3, 4, 5].map(minute));
    const truth = (await admin(exchange, 'GET', `/klines?symbol=BTCUSDT&interval=1m&startTime=${minute(0)}`)) as unknown as { rows: unknown[][]; forming: boolean };
    expect([truth.rows.map((row) => row[0]), truth.forming]).toEqual([[0, 1, 2, 3, 4, 5].map(minute), true]);
    expect(await rows(exchange, `symbol=ETHUSDT&interval=1m&startTime=${minute(0)}`)).toHaveLength(6);
  });

  test('begin one off the grid, where a range that ends on the grid no longer has it', async () => {
    const { exchange, minutes, post } = await stepped();
    await minutes(5);
    await post({ kind: 'off-grid-candle', symbol: 'BTCUSDT', interval: '1m', openTime: minute(2) });
    const told = async (range: string) => (await rows(exchange, `symbol=BTCUSDT&interval=1m&startTime=${minute(1)}${range}`)).map((row) => [row[0], row[6]]);
    const all = [[minute(1), minute(2) - 1], [minute(2) + 14_789, minute(3) + 14_788], [minute(3), minute(4) - 1]];
    expect(await told(`&endTime=${minute(3)}`)).toEqual(all);
    expect(await told(`&endTime=${minute(2)}`)).toEqual(all.slice(0, 1));
  });

  test('give one wrong, over the stream and REST alike, and correct it later', async () => {
    const { exchange, client, minutes, post } = await stepped();
    const { id } = await post({ kind: 'wrong-candle', symbol: 'BTCUSDT', interval: '1m', openTime: minute(1), factor: 1.5, resend: true });
    await minutes(3);
    const asked = async () => (await rows(exchange, `symbol=BTCUSDT&interval=1m&startTime=${minute(1)}&limit=1`))[0]?.[4];
    await eventually(() => closes(client)).toEqual([minute(0), minute(1), minute(2)]);
    const said = () => klines(client).filter((k) => k.x && k.t === minute(1)).map((k) => k.c);
    expect([await asked()]).toEqual(said());
    await admin(exchange, 'DELETE', `/faults/${String(id)}`);
    await eventually(said).toHaveLength(2);
    const [wrong, right] = said();
    expect(await asked()).toBe(right);
    expect(Number(wrong) / Number(right)).toBeCloseTo(1.5, 3);
  });
});

describe('the admin port', () => {
  test('steps the clock and changes its speed', async () => {
    const { exchange, wall } = await start({ speed: 0, adminPort: 0 }, { ...BEGIN });
    wall.now += 30_000;
    expect(await admin(exchange, 'GET', '/clock')).toMatchObject({ marketTime: BEGIN.now, speed: 0 });
    expect(await step(exchange, 90_000)).toMatchObject({ marketTime: BEGIN.now + 90_000 });
    await admin(exchange, 'POST', '/clock', { speed: 60 });
    wall.now += 1_000;
    expect(await admin(exchange, 'GET', '/clock')).toMatchObject({ marketTime: BEGIN.now + 150_000, speed: 60 });
  });

  test('tells the limits as they stand', async () => {
    const { exchange } = await start({ adminPort: 0 });
    await rows(exchange, 'symbol=BTCUSDT&interval=1m');
    await connectTo(exchange, '/ws');
    expect(await admin(exchange, 'GET', '/limits')).toMatchObject({ weights: { '127.0.0.1': { used: 2, highest: 2, refusals: 0, bans: 0 } }, attempts: { '127.0.0.1': 1 } });
  });

  test.each([
    ['POST', '/faults', { kind: 'earthquake' }, 400, /kind: .*Kinds: drop, delay/],
    ['POST', '/faults', { kind: 'drop', chance: 2 }, 400, /^chance: /],
    ['POST', '/faults', { kind: 'drop', steam: '*' }, 400, /steam/],
    ['POST', '/faults', [], 400, /./],
    ['POST', '/clock', { step: -1 }, 400, /^step: /],
    ['POST', '/clock', {}, 400, /speed or step/],
    ['GET', '/klines?symbol=NOPE&interval=1m', undefined, 400, /^symbol: /],
    ['GET', '/klines?symbol=BTCUSDT&interval=7m', undefined, 400, /^interval: /],
    ['GET', '/elsewhere', undefined, 404, /not known/],
  ])('refuses %s %s %j with %i and the field', async (method, path, body, status, message) => {
    const { exchange } = await start({ adminPort: 0 });
    expect(await admin(exchange, method, path, body)).toEqual({ status, code: 'refused', message: expect.stringMatching(message) });
  });

  test('is absent unless it is asked for, and answers no foreign page', async () => {
    expect((await start()).exchange.admin).toBeNull();
    const { exchange } = await start({ adminPort: 0 });
    const response = await fetch(`${exchange.admin}/faults`, { headers: { origin: 'https://evil.example' } });
    expect(response.status).toBe(403);
  });
});
