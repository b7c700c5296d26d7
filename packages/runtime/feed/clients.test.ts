import { randomUUID } from 'node:crypto';
import { FEED_CLOSE, TradeMindError, type FeedFrame } from '@trademind/core';
import { afterEach, describe, expect, test, vi } from 'vitest';
import { connectRaw, startTestFeed, testSignal, testStatus, type RawClient, type TestFeed } from '../../../tests/support/feed.ts';
import type { CommandAudit } from './commands.ts';

const ending: (() => unknown)[] = [];
afterEach(async () => {
  for (const end of ending.splice(0).toReversed()) await end();
});

async function start(over: Parameters<typeof startTestFeed>[0] = {}): Promise<TestFeed> {
  const feed = await startTestFeed(over);
  ending.push(() => feed.close());
  return feed;
}

function connect(...on: Parameters<typeof connectRaw>): RawClient {
  const client = connectRaw(...on);
  ending.push(() => client.socket.terminate());
  return client;
}

const row = (symbol: string, price: number) => ({ symbol, price, change24h: null, quoteVolume24h: null, matches: [], halted: false });
const rows = (feed: TestFeed, ...symbols: string[]) => feed.source.emit({ type: 'metrics', data: { marketTime: 1, markets: symbols.map((symbol, price) => row(symbol, price + 1)) } });
const symbolsOf = (frame: Extract<FeedFrame, { type: 'metrics' | 'snapshot' }>) => frame.data.markets.map(({ symbol }) => symbol);
const settle = (ms = 30) => new Promise((resolve) => { setTimeout(resolve, ms); });

describe('what a client listens to', () => {
  test('the symbols that it names, in the snapshot, in rows and in signals', async () => {
    const feed = await start();
    rows(feed, 'AAA', 'BBB', 'CCC');
    feed.source.emit({ type: 'signal', data: testSignal({ symbol: 'CCC' }) });
    const client = connect(feed, await feed.ticket(), '?symbols=AAA,BBB');
    expect(await client.next('snapshot')).toMatchObject({ data: { signals: [] } });
    expect(symbolsOf(await client.next('snapshot'))).toEqual(['AAA', 'BBB']);
    rows(feed, 'BBB', 'CCC');
    rows(feed, 'CCC');
    feed.source.emit({ type: 'signal', data: testSignal({ symbol: 'CCC' }) });
    const meant = testSignal({ symbol: 'AAA' });
    feed.source.emit({ type: 'signal', data: meant });
    expect((await client.next('signal')).data).toEqual(meant);
    expect(client.frames.filter(({ type }) => type === 'metrics')).toHaveLength(1);
    expect(symbolsOf(await client.next('metrics'))).toEqual(['BBB']);
    client.send({ type: 'subscribe', symbols: ['CCC'] });
    expect(symbolsOf(await client.next('snapshot', 1))).toEqual(['CCC']);
  });

  test('updates no more often than it wants, then the newest of each; a signal at once', async () => {
    const feed = await start();
    const client = connect(feed, await feed.ticket(), '?every=200');
    await client.next('snapshot');
    for (let i = 1; i <= 50; i += 1) {
      feed.source.emit({ type: 'metrics', data: { marketTime: i, markets: [row('AAA', i)] } });
      feed.source.emit({ type: 'status', data: testStatus({ detail: `${i}` }) });
    }
    await vi.waitFor(() => expect(client.frames.findLast(({ type }) => type === 'metrics')).toMatchObject({ data: { markets: [{ price: 50 }] } }), 30_000);
    expect(client.frames.findLast(({ type }) => type === 'status')).toMatchObject({ data: { detail: '50' } });
    expect(client.frames.length).toBeLessThan(10);
    const numbers = client.frames.slice(2).map(({ seq }) => seq);
    expect(numbers).toEqual([...new Set(numbers)].toSorted((a, b) => a - b));
  });

  test('nothing that cannot be understood: then it hears everything', async () => {
    const feed = await start();
    const client = connect(feed, await feed.ticket(), '?every=-1&symbols=&types=signal');
    await client.next('snapshot');
    feed.source.emit({ type: 'log', data: { at: 1, level: 'info', code: 'x', message: 'm' } });
    await client.next('log');
  });

  test('a pong says up to where it has got all, so that it can resume after a long quiet', async () => {
    const feed = await start({ limits: { ringFrames: 20 } });
    const client = connect(feed, await feed.ticket(), '?types=signal');
    const { data: { session } } = await client.next('hello');
    for (let i = 0; i < 50; i += 1) rows(feed, 'AAA');
    client.send({ type: 'ping' });
    const { seq, epoch } = await client.next('pong');
    expect(seq).toBe(50);
    client.socket.terminate();
    feed.source.emit({ type: 'signal', data: testSignal() });
    const again = connect(feed, session, `?types=signal&epoch=${epoch}&seq=${seq}`);
    await again.next('signal');
    expect(again.frames.map(({ type }) => type)).toEqual(['hello', 'signal']);
  });
});

describe('memory', () => {
  test('clients that come at the same time get one snapshot, made once', async () => {
    const feed = await start();
    const asked = vi.spyOn(feed.source, 'markets');
    const clients = await Promise.all(Array.from({ length: 10 }, async () => connect(feed, await feed.ticket())));
    await Promise.all(clients.map((client) => client.next('snapshot')));
    expect(asked).toHaveBeenCalledTimes(1);
    rows(feed, 'AAA');
    const later = connect(feed, await feed.ticket());
    expect(symbolsOf(await later.next('snapshot'))).toEqual(['AAA']);
  });

  test('all clients together keep a bounded amount waiting: each may keep less when there are many', async () => {
    const feed = await start({ limits: { ringFrames: 5_000, ringBytes: 64e6, bufferedBytes: 1e6, allBufferedBytes: 1e6 } });
    const clients = await Promise.all(Array.from({ length: 10 }, async () => connect(feed, await feed.ticket())));
    await Promise.all(clients.map((client) => client.next('snapshot')));
    for (const client of clients) client.socket.pause();
    const filler = 'x'.repeat(50_000);
    for (let i = 1; i <= 400; i += 1) {
      feed.source.emit({ type: 'log', data: { at: i, level: 'info', code: 'x', message: filler } });
      if (i % 20 === 0) await settle(1);
    }
    // 10 clients × (a tenth of a megabyte and one frame more); what the system's sockets hold is not ours.
    expect(feed.server.stats().bufferedBytes).toBeGreaterThan(0);
    expect(feed.server.stats().bufferedBytes).toBeLessThan(1e6 + 10 * 51_000);
    for (const client of clients) client.socket.resume();
    await Promise.all(clients.map((client) => client.next('log', 399)));
  });
});

describe('commands', () => {
  const audits: CommandAudit[] = [];
  afterEach(() => { audits.length = 0; });
  const commanded = (over: Parameters<typeof startTestFeed>[0] = {}) => start({ audit: (entry) => audits.push(entry), ...over });

  test('hello names those that the machine can do for the session, and a command is answered with its id', async () => {
    const feed = await commanded({ commands: { pause: () => 'resting', resume: () => undefined } });
    const reader = connect(feed, await feed.ticket({ scope: 'feed:read' }));
    const owner = connect(feed, await feed.ticket());
    expect((await reader.next('hello')).data.commands).toEqual(['explain']);
    expect((await owner.next('hello')).data.commands).toEqual(['pause', 'resume', 'explain']);
    owner.send({ type: 'pause', id: 'a' });
    expect((await owner.next('reply')).data).toEqual({ id: 'a', command: 'pause', result: 'resting' });
    owner.send({ type: 'explain', id: 'b', trader: 'known', symbol: 'BTCUSDT' });
    expect((await owner.next('reply', 1)).data).toEqual({ id: 'b', command: 'explain', result: { conditions: [] } });
    owner.send({ type: 'explain', id: 'c', trader: 'nobody', symbol: 'BTCUSDT' });
    expect((await owner.next('error')).data).toMatchObject({ id: 'c', command: 'explain', code: 'not_found' });
  });

  test('without the scope it is refused, with a code, and never done', async () => {
    const done = vi.fn();
    const feed = await commanded({ commands: { pause: done, 'close-position': done, 'test-notification': done, 'set-traders': done, backtest: done, resume: done } });
    const client = connect(feed, await feed.ticket({ scope: 'feed:read' }));
    await client.next('snapshot');
    const all = [{ type: 'pause' }, { type: 'resume' }, { type: 'close-position', position: 'p' }, { type: 'test-notification', channel: 'phone' }, { type: 'set-traders' }, { type: 'backtest', trader: 't', from: 0, to: 1 }];
    for (const [index, command] of all.entries()) {
      client.send({ ...command, id: command.type });
      expect((await client.next('error', index)).data).toMatchObject({ code: 'scope_missing', id: command.type, nextStep: expect.any(String) as string });
      await settle(200); // commands are heavy messages: not too fast
    }
    expect(done).not.toHaveBeenCalled();
    expect(audits.map(({ command, outcome, code }) => [command, outcome, code])).toEqual(all.map(({ type }) => [type, 'refused', 'scope_missing']));
  });

  test('what the machine cannot do is said with a code', async () => {
    const feed = await commanded();
    const client = connect(feed, await feed.ticket());
    await client.next('snapshot');
    client.send({ type: 'close-position', id: '1', position: 'p' });
    expect((await client.next('error')).data).toMatchObject({ code: 'command_unavailable', command: 'close-position', id: '1' });
    expect(audits).toMatchObject([{ command: 'close-position', outcome: 'refused', code: 'command_unavailable' }]);
  });

  test('every command that changes the machine is audited with who gave it and how it ended; a failure keeps its words for itself', async () => {
    const feed = await commanded({
      commands: {
        pause: () => undefined,
        resume: () => { throw new TradeMindError({ code: 'not_now', message: 'Not now.', nextStep: 'Later.' }); },
        backtest: () => Promise.reject(new Error('secret detail')),
      },
    });
    const client = connect(feed, await feed.ticket());
    await client.next('snapshot');
    client.send({ type: 'pause', id: '1' });
    await client.next('reply');
    client.send({ type: 'resume', id: '2' });
    expect((await client.next('error')).data).toEqual({ id: '2', command: 'resume', code: 'not_now', message: 'Not now.', nextStep: 'Later.' });
    client.send({ type: 'backtest', id: '3', trader: 't', from: 0, to: 1 });
    expect(JSON.stringify((await client.next('error', 1)).data)).not.toContain('secret');
    expect(audits.map(({ command, outcome, code }) => [command, outcome, code])).toEqual([['pause', 'done', undefined], ['resume', 'failed', 'not_now'], ['backtest', 'failed', 'internal']]);
    expect(new Set(audits.map(({ sessionId }) => sessionId)).size).toBe(1);
  });

  test('one client may have four commands under way, not five', async () => {
    const doors: (() => void)[] = [];
    const feed = await commanded({ limits: { messagesPerSecond: 100 }, commands: { backtest: () => new Promise<void>((resolve) => { doors.push(resolve); }) } });
    const client = connect(feed, await feed.ticket());
    await client.next('snapshot');
    for (let i = 1; i <= 5; i += 1) client.send({ type: 'backtest', id: `${i}`, trader: 't', from: 0, to: 1 });
    expect((await client.next('error')).data).toMatchObject({ id: '5', code: 'too_many_commands' });
    for (const open of doors) open();
    await client.next('reply', 3);
  });
});

describe('who comes in', () => {
  test('an older connection of a client that arrives late replaces no newer one', async () => {
    const feed = await start();
    const first = connect(feed, await feed.ticket(), '?attempt=1');
    const { data: { session } } = await first.next('hello');
    const newest = connect(feed, session, '?attempt=3');
    await newest.next('snapshot');
    expect(await first.closed).toMatchObject({ code: FEED_CLOSE.superseded });
    expect(await connect(feed, session, '?attempt=2').closed).toMatchObject({ code: FEED_CLOSE.superseded });
    rows(feed, 'AAA');
    await newest.next('metrics');
    expect(feed.server.stats().connections).toBe(1);
  });

  test('strangers are bounded by themselves: however many are shown out, a place is left for the user', async () => {
    const feed = await start({ limits: { connections: 2, strangers: 4 } });
    // They do not answer the close, so each stays for a while.
    const strangers = Array.from({ length: 12 }, () => connect(feed, 'x.y.z'));
    for (const stranger of strangers) stranger.socket.on('open', () => stranger.socket.pause());
    await vi.waitFor(() => expect(feed.server.stats().refused['too_many_connections']).toBeGreaterThan(0), 30_000);
    for (const stranger of strangers) stranger.socket.terminate();
    await vi.waitFor(async () => { await connect(feed, await feed.ticket()).next('snapshot'); }, { timeout: 30_000, interval: 50 });
  });

  test('a session may call REST so often, then waits a second', async () => {
    let wall = 1_800_000_000_000;
    const feed = await start({ now: () => wall, limits: { callsPerSecond: 3 } });
    const client = connect(feed, await feed.ticket());
    const { data: { session } } = await client.next('hello');
    const status = async () => {
      const answer = await fetch(`${feed.server.url}/v1/status`, { headers: { authorization: `Bearer ${session}` } });
      return [answer.status, answer.headers.get('retry-after')];
    };
    for (let i = 0; i < 3; i += 1) expect((await status())[0]).toBe(200);
    expect(await status()).toEqual([429, '1']);
    wall += 400;
    expect((await status())[0]).toBe(200);
    expect((await status())[0]).toBe(429);
  });

  test('REST has the log, and says of what it does not have yet that it is not there yet', async () => {
    const feed = await start();
    feed.source.emit({ type: 'log', data: { at: 1, level: 'info', code: 'x', message: 'm' } });
    const { data: { session } } = await connect(feed, await feed.ticket()).next('hello');
    const get = async (path: string) => {
      const answer = await fetch(`${feed.server.url}${path}`, { headers: { authorization: `Bearer ${session}` } });
      return [answer.status, await answer.json()] as const;
    };
    expect(await get('/v1/logs')).toEqual([200, { items: [{ at: 1, level: 'info', code: 'x', message: 'm' }] }]);
    for (const path of ['/v1/positions', '/v1/backtests']) expect(await get(path)).toMatchObject([501, { code: 'not_available' }]);
  });
});

test('a session id in an audit is none of the secrets of the session', async () => {
  const audits: CommandAudit[] = [];
  const feed = await start({ audit: (entry) => audits.push(entry), commands: { pause: () => undefined } });
  const jti = randomUUID();
  const client = connect(feed, await feed.ticket({ jti }));
  const { data: { session } } = await client.next('hello');
  client.send({ type: 'pause' });
  await client.next('reply');
  const text = JSON.stringify(audits);
  expect(text).not.toContain(session);
  expect(text).not.toContain(jti);
});
