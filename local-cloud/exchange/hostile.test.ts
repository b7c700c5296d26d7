import { once } from 'node:events';
import { request } from 'node:http';
import { connect } from 'node:net';
import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { generator } from './market/random.ts';
import { answerControl, MAX_STREAMS, type Subscriptions } from './streams/control.ts';
import { admin, connectTo, eventually, get, start, step, type World } from './test-world.ts';

/** Draws by one seed, so that a failure can be repeated. */
const { uniform } = generator(20_260_727);
const below = (n: number) => Math.floor(uniform() * n);
const pick = <T>(list: readonly T[]): T => list[below(list.length)] as T;

const ODD = [
  '', ' ', '0', '-1', '1', '1000', '99999999999999999999', '9007199254740993', '1e9', 'NaN', 'null', 'true', '[]', '[""]', '["BTCUSDT"]', '["BTCUSDT","BTCUSDT"]', '[[[[', '{}', 'BTCUSDT', 'btcusdt', 'ETHUSDT',
  '\u0000', '%00', '%', '%zz', '../..', '__proto__', 'constructor', 'toString', '\ud83d\ude00', '%F0%9F', '1m', '1M', '1s', '7m', '1h', '1d', 'FULL', 'MINI', 'TRADING', '0:00', 'a'.repeat(3_000), '["'.repeat(500),
];
const NAMES = ['symbol', 'symbols', 'interval', 'startTime', 'endTime', 'limit', 'fromId', 'type', 'windowSize', 'timeZone', 'symbolStatus', 'permissions', 'showPermissionSets', 'signature', '__proto__', 'toString', ''];
const PATHS = [
  'ping', 'time', 'exchangeInfo', 'depth', 'trades', 'historicalTrades', 'aggTrades', 'klines', 'uiKlines', 'avgPrice', 'ticker', 'ticker/24hr', 'ticker/tradingDay', 'ticker/price', 'ticker/bookTicker', 'order', 'account', 'nothing', '__proto__', 'constructor',
].map((name) => `/api/v3/${name}`).concat('/', '//', '///x', '/%', '/%2e%2e/', '/_stand-in/market', '/api', '*');

/** Sends exactly this request line and reads what comes; null when the server just ends the connection. */
function send(world: World, method: string, path: string, headers: Record<string, string> = {}, body?: string, port = world.exchange.port): Promise<{ status: number; text: string } | null> {
  return new Promise((resolve) => {
    const sent = request({ host: '127.0.0.1', port, method, path, headers }, (response) => {
      const chunks: Buffer[] = [];
      response.on('data', (chunk: Buffer) => chunks.push(chunk));
      response.on('end', () => resolve({ status: response.statusCode ?? 0, text: Buffer.concat(chunks).toString('utf8') }));
    });
    sent.on('error', () => resolve(null));
    sent.end(body);
  });
}

/** The exchange still does its work: it answers, and its streams go on. */
async function stillWorks({ exchange, wall }: World): Promise<void> {
  wall.now += 300_001;
  expect((await get(exchange, '/api/v3/time')).status).toBe(200);
  const client = await connectTo(exchange, '/ws/btcusdt@kline_1m');
  await step(exchange, 60_000, 2_000);
  await eventually(() => client.frames.some((frame) => (frame['k'] as { x: boolean } | undefined)?.x)).toBe(true);
}

/** A stepped market whose wall clock the test moves, so that no limit hides what lies behind it. */
const open = () => start({ speed: 0, adminPort: 0, symbols: 3 });

describe('hostile requests', () => {
  test('are answered in JSON with what is wrong, and never with a failure of the exchange', async () => {
    const world = await open();
    const seen: Record<number, number> = {};
    for (let i = 0; i < 4_000; i++) {
      if (i % 20 === 0) world.wall.now += 60_000;
      const query = Array.from({ length: below(5) }, () => `${pick(NAMES)}=${uniform() < 0.5 ? encodeURIComponent(pick(ODD)) : pick(ODD).replace(/[^\x21-\x7e]/g, '%20')}`).join('&');
      const path = `${pick(PATHS)}${query === '' ? '' : `?${query}`}`;
      const answer = await send(world, pick(['GET', 'GET', 'GET', 'GET', 'POST', 'PUT', 'DELETE', 'HEAD', 'OPTIONS', 'PATCH']), path);
      if (!answer) continue;
      seen[answer.status] = (seen[answer.status] ?? 0) + 1;
      if (![200, 204, 400, 401, 404, 405, 431].includes(answer.status)) expect.fail(`${answer.status} for ${path}: ${answer.text.slice(0, 200)}`);
      if (answer.text !== '') expect(() => JSON.parse(answer.text) as unknown, path).not.toThrow();
    }
    expect(seen[200]).toBeGreaterThan(100);
    expect(seen[400]).toBeGreaterThan(500);
    await stillWorks(world);
  });

  test('with odd bodies and headers are refused', async () => {
    const world = await open();
    const headers = [{}, { 'content-type': 'text/plain' }, { 'content-type': 'application/json' }, { host: 'evil.example' }, { origin: 'null' }, { 'content-length': '0' }, { 'x-mbx-apikey': '\t' }, { connection: 'upgrade', upgrade: 'h2c' }, { expect: '100-continue' }];
    for (let i = 0; i < 300; i++) {
      const answer = await send(world, pick(['POST', 'PUT', 'GET']), '/api/v3/order', pick(headers) as Record<string, string>, uniform() < 0.5 ? pick(ODD) : undefined);
      if (answer) expect([400, 401, 403, 404, 405, 415, 417, 421]).toContain(answer.status);
    }
    await stillWorks(world);
  });

  test('to the admin port are refused', async () => {
    const world = await open();
    const port = Number(new URL(world.exchange.admin ?? '').port);
    const bodies = ['', '{', 'null', '[]', '0', '"x"', '{"kind":"drop","chance":"1"}', '{"kind":"delay","ms":1e99}', '{"kind":"stall","forMs":-1}', '{"kind":"__proto__"}', '{"__proto__":{"kind":"drop"}}', '{"step":1e308}', '{"step":1,"by":0}', '{"speed":"fast"}', '{"speed":null}', `{"kind":"drop","stream":"${'*'.repeat(200)}"}`, `[${'['.repeat(5_000)}`];
    for (const path of ['/faults', '/clock', '/faults/1', '/klines?symbol=__proto__&interval=1m', '/klines?symbol=BTCUSDT&interval=1m&startTime=-1', '//', '/%', '*']) {
      for (const body of bodies) {
        for (const method of ['GET', 'POST', 'DELETE', 'PUT']) {
          const answer = await send(world, method, path, { 'content-type': 'application/json' }, body, port);
          if (answer) expect([200, 204, 400, 404, 415], `${method} ${path} ${body} ${answer.text}`).toContain(answer.status);
        }
      }
    }
    expect(await admin(world.exchange, 'GET', '/faults')).toEqual({ status: 200, faults: [] });
    await stillWorks(world);
  });
});

describe('hostile frames', () => {
  test('of control are each answered with a result or an error, 100,000 of them', () => {
    const held = new Set<string>();
    const on: Subscriptions = { combined: false, names: () => [...held], has: (name) => held.has(name), add: (name) => { held.add(name); }, remove: (name) => { held.delete(name); } };
    const value = fc.oneof(fc.constantFrom(...ODD, 'SUBSCRIBE', 'UNSUBSCRIBE', 'LIST_SUBSCRIPTIONS', 'SET_PROPERTY', 'GET_PROPERTY', 'combined', '!miniTicker@arr', 'btcusdt@kline_1m'), fc.jsonValue({ maxDepth: 2 }));
    const frame = fc.oneof(
      fc.record({ method: value, params: fc.oneof(value, fc.array(value, { maxLength: 5 })), id: value }, { requiredKeys: [] }).map((object) => JSON.stringify(object)),
      fc.tuple(fc.constant('{"method":"SUBSCRIBE","params":["btcusdt@trade"],"id":1}'), fc.nat(56), fc.string({ maxLength: 4 })).map(([text, at, inserted]) => text.slice(0, at) + inserted + text.slice(at + 1)),
      fc.string(),
    );
    let answers = 0;
    fc.assert(fc.property(fc.array(frame, { minLength: 100, maxLength: 100 }), (frames) => {
      for (const text of frames) {
        const answer = JSON.parse(answerControl(text, on)) as Record<string, unknown>;
        answers += 1;
        if (!('result' in answer) && typeof (answer['error'] as { code?: unknown })?.code !== 'number') expect.fail(text);
      }
      expect(held.size).toBeLessThanOrEqual(MAX_STREAMS);
    }), { numRuns: 1_000 });
    expect(answers).toBeGreaterThanOrEqual(100_000);
  });

  test('of any bytes end their own connection at most', async () => {
    const world = await open();
    const hello = (path = '/ws') => `GET ${path} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n`;
    const bytes = (length: number) => Buffer.from(Array.from({ length }, () => below(256)));
    const masked = (opcode: number, payload: Buffer) => Buffer.concat([Buffer.from([opcode, 0x80 | payload.length, 0, 0, 0, 0]), payload]);
    const shapes: (() => Buffer[])[] = [
      () => [bytes(below(200))],
      () => [Buffer.from(hello().slice(0, below(180)))],
      () => [Buffer.from(hello().replace('13', '99'))],
      () => [Buffer.from(hello(`/stream?streams=${'a/'.repeat(below(900))}`))],
      () => [Buffer.from(hello(pick(['/ws/%', '/ws/%00', '/stream?streams=%E0%A4%A', '/ws/__proto__', '//ws', '/ws/../x'])))],
      () => [Buffer.from(hello()), bytes(below(300))],
      () => [Buffer.from(hello()), masked(0x81, bytes(below(100)))],
      () => [Buffer.from(hello()), masked(0x82, bytes(below(100)))],
      () => [Buffer.from(hello()), masked(0x01, bytes(10)), masked(0x81, bytes(10))],
      () => [Buffer.from(hello()), Buffer.from([0x81, 0xff, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff])],
      () => [Buffer.from(hello()), masked(0x88, bytes(below(3)))],
      () => [Buffer.from(hello()), ...Array.from({ length: 12 }, () => masked(0x89, bytes(below(120))))],
    ];
    for (let i = 0; i < 600; i++) {
      if (i % 200 === 0) world.wall.now += 300_001;
      const socket = connect(world.exchange.port, '127.0.0.1');
      socket.on('error', () => undefined);
      await once(socket, 'connect');
      for (const part of pick(shapes)()) socket.write(part);
      if (uniform() < 0.3) await Promise.race([once(socket, 'data'), once(socket, 'close'), new Promise((resolve) => { setTimeout(resolve, 20); })]);
      socket.destroy();
    }
    await stillWorks(world);
    // Nothing of the dead is kept: only the good client is left.
    await expect.poll(async () => ((await admin(world.exchange, 'GET', '/connections'))['connections'] as unknown[]).length).toBe(1);
  });

  test('in a flood are cut off, and connection attempts are counted', async () => {
    const world = await open();
    for (let i = 0; i < 300; i++) (await connectTo(world.exchange, '/ws')).socket.terminate();
    await expect(connectTo(world.exchange, '/ws')).rejects.toThrow('429');
    expect(await admin(world.exchange, 'GET', '/limits')).toMatchObject({ attempts: { '127.0.0.1': 300 } });
    world.wall.now += 300_000;
    await stillWorks(world);
  });
});
