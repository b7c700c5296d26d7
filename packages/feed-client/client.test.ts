import { FEED_CLOSE, type FeedFrame, type Signal } from '@trademind/core';
import { afterEach, expect, test, vi } from 'vitest';
import { TestSource, startTestFeed, testSignal, testStatus, ticketKeys, type TestFeed } from '../../tests/support/feed.ts';
import { startLine, type Line } from '../../tests/support/line.ts';
import { startOddMachine } from '../../tests/support/odd-machine.ts';
import { createFeedClient, type CloudWebSocketClient, type FeedClientOptions, type FeedState } from './index.ts';

const ending: (() => unknown)[] = [];
afterEach(async () => {
  for (const end of ending.splice(0).toReversed()) await end();
});

const FAST = { baseMs: 5, capMs: 20, stableMs: 50, ticketMs: 30_000 };
const until = (check: () => unknown) => vi.waitFor(() => { if (!check()) throw new Error('not yet'); }, { timeout: 40_000, interval: 4 });

async function start(over: Parameters<typeof startTestFeed>[0] = {}): Promise<TestFeed> {
  const feed = await startTestFeed(over);
  ending.push(() => feed.close());
  return feed;
}

interface Followed { client: CloudWebSocketClient; states: FeedState['phase'][]; frames: FeedFrame[]; tickets: number }

function follow(feed: TestFeed, over: Partial<FeedClientOptions> & { url?: string } = {}): Followed {
  const url = over.url ?? feed.server.url;
  const seen = { states: [] as FeedState['phase'][], frames: [] as FeedFrame[], tickets: 0 };
  const client = createFeedClient({
    async getTicket() {
      seen.tickets += 1;
      return { ticket: await feed.ticket(), url, feed: `${url.replace('http', 'ws')}/v1/feed`, machineId: feed.source.machineId };
    },
    onState: ({ phase }) => { if (seen.states.at(-1) !== phase) seen.states.push(phase); },
    onFrame: (frame) => seen.frames.push(frame),
    random: () => 0, ...over, timing: { ...FAST, ...over.timing },
  });
  ending.push(() => client.close());
  client.connect();
  return Object.assign(seen, { client });
}

async function cuttable(port: number): Promise<Line> {
  const line = await startLine(port);
  ending.push(() => line.close());
  return line;
}

test('it waits, connects, shows the snapshot and then what changes', async () => {
  const feed = await start();
  const row = { symbol: 'BTCUSDT', price: 64_000, change24h: 1.5, quoteVolume24h: 1e9, matches: ['RSI dip'], halted: false };
  feed.source.emit({ type: 'metrics', data: { marketTime: 1, markets: [row] } });
  const { client, states } = follow(feed);
  await until(() => client.state.phase === 'live');
  expect(states).toEqual(['waiting-for-machine', 'connecting', 'live']);
  expect(client.status?.phase).toBe('screening');
  expect(client.markets.get('BTCUSDT')).toEqual(row);
  let changes = 0;
  const unsubscribe = client.subscribe(() => { changes += 1; });
  const signal = testSignal();
  feed.source.emit({ type: 'signal', data: signal });
  feed.source.emit({ type: 'log', data: { at: 1, level: 'warn', code: 'x', message: 'm' } });
  feed.source.emit({ type: 'status', data: testStatus({ phase: 'draining' }) });
  await until(() => client.status?.phase === 'draining');
  expect([client.signals, client.log.length, changes]).toEqual([[signal], 1, 3]);
  unsubscribe();
});

test('it waits for a machine that is not there yet, and for a control plane that has no ticket', async () => {
  const feed = await start();
  let answer: 'nothing' | 'page' | 'machine' = 'nothing';
  const probes: string[] = [];
  const call: typeof fetch = (input, init) => {
    probes.push(answer);
    if (answer === 'nothing') return Promise.reject(new TypeError('fetch failed'));
    return answer === 'page' ? Promise.resolve(new Response('<html>', { status: 502 })) : fetch(input, init);
  };
  let refusals = 2;
  const { client, states } = follow(feed, {
    fetch: call,
    getTicket: async () => {
      refusals -= 1;
      if (refusals >= 0) throw new Error('the control plane is away');
      return { ticket: await feed.ticket(), url: feed.server.url, feed: feed.feed, machineId: feed.source.machineId };
    },
  });
  await until(() => probes.length >= 3);
  expect(client.state).toMatchObject({ phase: 'waiting-for-machine', reason: 'The machine does not answer yet.' });
  answer = 'page';
  await until(() => probes.includes('page'));
  expect(client.state.phase).toBe('waiting-for-machine');
  answer = 'machine';
  await until(() => client.state.phase === 'live');
  expect(states).toEqual(['waiting-for-machine', 'connecting', 'live']);
});

test('a machine that still reads history is connected to: its feed tells how far it is', async () => {
  const feed = await start({ ready: () => ({ ready: false, missing: ['3 of 5 symbols'], phase: 'backfilling' }) });
  feed.source.emit({ type: 'status', data: testStatus({ phase: 'backfilling' }) });
  const states: FeedState[] = [];
  const { client } = follow(feed, { onState: (state) => states.push(state) });
  await until(() => client.state.phase === 'live');
  expect(states.find(({ phase }) => phase === 'connecting')).toMatchObject({ missing: ['the history of its markets'] });
  expect(client.status?.phase).toBe('backfilling');
});

test('2,000 signals through 20 cut lines arrive complete, in order, once, on one ticket', async () => {
  const feed = await start({ limits: { ringFrames: 2_000 } });
  const line = await cuttable(feed.server.port);
  const followed = follow(feed, { url: line.url });
  const { client, frames } = followed;
  await until(() => client.state.phase === 'live');
  const sent: Signal[] = [];
  for (let i = 0; i < 20; i += 1) {
    for (let j = 0; j < 100; j += 1) {
      const signal = testSignal({ closeTime: 1_700_000_000_000 + sent.length });
      sent.push(signal);
      feed.source.emit({ type: 'signal', data: signal });
      if (j === 50) line.cut();
    }
    await until(() => client.state.phase === 'live' && client.signals[0]?.id === sent.at(-1)?.id);
  }
  expect(frames.filter(({ type }) => type === 'signal').map(({ data }) => (data as Signal).id)).toEqual(sent.map(({ id }) => id));
  expect(frames.filter(({ type }) => type === 'snapshot')).toHaveLength(1);
  expect(followed.tickets).toBe(1);
});

test('a machine that restarts is found again: the session outlives it when its key does, and a snapshot replaces the view', async () => {
  const keys = await ticketKeys();
  const sessionKey = crypto.getRandomValues(new Uint8Array(32));
  const feed = await start({ keys, sessionKey });
  const states: FeedState[] = [];
  const { client } = follow(feed, { onState: (state) => states.push(state) });
  await until(() => client.state.phase === 'live');
  feed.source.emit({ type: 'signal', data: testSignal() });
  await until(() => client.signals.length === 1);
  await feed.server.close();
  await until(() => client.state.phase === 'reconnecting');
  // What it says of the tries that follow is another matter.
  expect(states.find(({ phase }) => phase === 'reconnecting')).toMatchObject({ reason: 'restart' });
  expect(client.signals).toHaveLength(1);
  const { machineId, userId } = feed.source;
  const again = new TestSource({ machineId, userId });
  again.emit({ type: 'signal', data: testSignal({ symbol: 'LTCUSDT' }) });
  await start({ keys, sessionKey, source: again, port: feed.server.port });
  await until(() => client.state.phase === 'live');
  expect(client.signals.map(({ symbol }) => symbol)).toEqual(['LTCUSDT']);
  expect(states.slice(-2).map(({ phase }) => phase)).toEqual(['reconnecting', 'live']);
});

test('a refused session is replaced by a new ticket', async () => {
  const keys = await ticketKeys();
  const feed = await start({ keys });
  // It tries again when the test says so: while nothing listens it would ask for tickets too.
  const followed = follow(feed, { timing: { baseMs: 120_000, capMs: 120_000 } });
  await until(() => followed.client.state.phase === 'live');
  await feed.server.close();
  const { machineId, userId } = feed.source;
  await start({ keys, source: new TestSource({ machineId, userId }), port: feed.server.port }); // another session key
  await until(() => { followed.client.retryNow(); return followed.tickets > 1 && followed.client.state.phase === 'live'; });
  expect(followed.tickets).toBe(2);
});

test('an intended close never reconnects, also while it waits', async () => {
  const feed = await start();
  const { client, states } = follow(feed);
  await until(() => client.state.phase === 'live');
  await client.close('signed out');
  expect(client.state).toEqual({ phase: 'closed', reason: 'signed out' });
  await until(() => feed.server.stats().connections === 0);
  const waiting = follow(feed, { fetch: () => Promise.reject(new TypeError('away')), timing: { baseMs: 60_000, capMs: 60_000 } });
  await until(() => waiting.client.state.phase === 'waiting-for-machine' && waiting.client.state.reason === null);
  await waiting.client.close();
  expect(waiting.client.state.phase).toBe('closed');
  await new Promise((resolve) => { setTimeout(resolve, 60); });
  expect(states.at(-1)).toBe('closed');
  expect(feed.server.stats().connections).toBe(0);
});

test('a ticket without the right scope ends it, for another try would not help', async () => {
  const feed = await start();
  const { client } = follow(feed, { getTicket: async () => ({ ticket: await feed.ticket({ scope: '' }), url: feed.server.url, feed: feed.feed, machineId: feed.source.machineId }) });
  await until(() => client.state.phase === 'closed');
  expect(client.state).toEqual({ phase: 'closed', reason: 'scope_missing' });
});

test('the wait can be cut short', async () => {
  const feed = await start();
  const line = await cuttable(feed.server.port);
  const { client } = follow(feed, { url: line.url, timing: { baseMs: 60_000, capMs: 60_000 } });
  await until(() => client.state.phase === 'live');
  line.cut();
  await until(() => client.state.phase === 'reconnecting');
  client.retryNow();
  await until(() => client.state.phase === 'live');
});

test('a session near its end is renewed with a new ticket on the open line', async () => {
  const feed = await start({ limits: { chainMs: 30_000 } });
  const followed = follow(feed, { timing: { pingMs: 20, renewMs: 40_000 } });
  await until(() => followed.frames.filter(({ type }) => type === 'hello').length === 2);
  expect(followed.tickets).toBe(2);
  expect(feed.server.stats().connections).toBe(1);
});

test('REST is read with the session, and a problem becomes an error with its code', async () => {
  const feed = await start();
  const { client } = follow(feed);
  await expect(client.request('/v1/status')).rejects.toMatchObject({ code: 'feed_not_live' });
  await until(() => client.state.phase === 'live');
  expect(await client.request('/v1/status')).toMatchObject({ phase: 'screening' });
  await expect(client.request('/v1/signals?limit=x')).rejects.toMatchObject({ code: 'query_invalid', field: 'limit' });
});

async function odd(...on: Parameters<typeof startOddMachine>): Promise<string> {
  const machine = await startOddMachine(...on);
  ending.push(() => machine.close());
  return machine.url;
}

const frame = (type: string, seq: number, data: unknown) => ({ v: 1, epoch: 'e', seq, type, data });
const hello = frame('hello', 0, { machineId: 'm', userId: 'u', scopes: ['feed:read'], session: 's', expiresAt: 9_999_999_999_999, resumed: false });
const snapshot = (seq: number) => frame('snapshot', seq, { status: testStatus(), markets: [], signals: [], log: [] });

test('malformed frames are counted and ignored, repeated ones applied once, a gap asks for a snapshot', async () => {
  const commands: string[] = [];
  const url = await odd((send, onCommand) => {
    for (const message of [hello, snapshot(10), 'not json', frame('signal', 11, { id: 'no' }), frame('unheard', 11, {}), frame('log', 10, { at: 1, level: 'info', code: 'old', message: '' }),
      frame('log', 11, { at: 1, level: 'info', code: 'new', message: '' }), frame('log', 11, { at: 1, level: 'info', code: 'new', message: '' }), frame('gap', 15, { from: 12, to: 15 })]) send(message);
    onCommand(({ type }) => {
      commands.push(type);
      if (type === 'sync') send(snapshot(16));
    });
  });
  const { client, frames } = follow(await start(), { url });
  await until(() => frames.filter(({ type }) => type === 'snapshot').length === 2);
  expect(client.view.malformed).toBe(3);
  expect(frames.filter(({ type }) => type === 'log').map(({ data }) => (data as { code: string }).code)).toEqual(['new']);
  expect(commands).toEqual(['sync']);
});

test('a silent line is pinged and, when nothing comes back, given up and tried again', async () => {
  let connections = 0;
  const commands: string[] = [];
  const url = await odd((send, onCommand) => {
    connections += 1;
    send(hello);
    send(snapshot(1));
    onCommand(({ type }) => commands.push(type));
  });
  const states: FeedState[] = [];
  let now = Date.now();
  const { client } = follow(await start(), { url, now: () => now, timing: { pingMs: 20, silenceMs: 100 }, onState: (state) => states.push(state) });
  await until(() => client.state.phase === 'live');
  now += 50;
  await until(() => commands.includes('ping'));
  expect(connections).toBe(1);
  now += 50;
  await until(() => connections >= 2);
  expect(states.find(({ phase }) => phase === 'reconnecting')).toMatchObject({ reason: 'silence' });
});

test('a line on which nothing happens stays open as long as the machine answers its pings', async () => {
  let now = Date.now();
  const { client, states, frames } = follow(await start(), { now: () => now, timing: { pingMs: 400, silenceMs: 1_000 } });
  const pongs = () => frames.filter(({ type }) => type === 'pong').length;
  await until(() => client.state.phase === 'live');
  for (let quiet = 0; quiet < 5; quiet++) {
    const before = pongs();
    now += 600;
    await until(() => pongs() > before);
  }
  expect([client.state.phase, states.filter((phase) => phase === 'live').length]).toEqual(['live', 1]);
  expect(states).not.toContain('reconnecting');
});

test('a newer connection of the same session ends this one for good', async () => {
  const feed = await start();
  const { client, frames } = follow(feed);
  await until(() => client.state.phase === 'live');
  const { session } = (frames.find(({ type }) => type === 'hello') as Extract<FeedFrame, { type: 'hello' }>).data;
  const other = new WebSocket(feed.feed, ['trademind.v1', `ticket.${session}`]);
  ending.push(() => other.close());
  await until(() => client.state.phase === 'closed');
  expect(client.state).toEqual({ phase: 'closed', reason: 'superseded' });
  expect(feed.server.stats().refused).toEqual({ superseded: 1 });
  expect(FEED_CLOSE.superseded).toBe(4409);
});

test('the machine\'s name is not looked up before the control plane has seen the machine run', async () => {
  const feed = await start();
  let reachable = false;
  let looks = 0;
  let tickets = 0;
  const called: unknown[] = [];
  const { client, states } = follow(feed, {
    seeMachine: () => { looks += 1; return Promise.resolve({ reachable, detail: 'Creating the volume.' }); },
    getTicket: async () => { tickets += 1; return { ticket: await feed.ticket(), url: feed.server.url, feed: feed.feed, machineId: feed.source.machineId }; },
    fetch: (input, init) => { called.push(input); return fetch(input, init); },
  });
  await until(() => looks >= 3);
  expect([tickets, called]).toEqual([0, []]);
  expect(client.state).toMatchObject({ phase: 'waiting-for-machine', reason: 'Creating the volume.' });
  reachable = true;
  await until(() => client.state.phase === 'live');
  expect(states).toEqual(['waiting-for-machine', 'connecting', 'live']);
});

test('a control plane that is away parts nobody from a machine that comes back', async () => {
  const keys = await ticketKeys();
  const sessionKey = crypto.getRandomValues(new Uint8Array(32));
  const feed = await start({ keys, sessionKey });
  let away = false;
  let refused = 0;
  const { client } = follow(feed, {
    getTicket: async () => {
      if (away) { refused += 1; throw new Error('the control plane is away'); }
      return { ticket: await feed.ticket(), url: feed.server.url, feed: feed.feed, machineId: feed.source.machineId };
    },
  });
  await until(() => client.state.phase === 'live');
  away = true;
  await feed.server.close();
  await until(() => refused >= 3);
  const { machineId, userId } = feed.source;
  await start({ keys, sessionKey, source: new TestSource({ machineId, userId }), port: feed.server.port });
  await until(() => client.state.phase === 'live');
});

test('a command is answered, refused with the machine\'s words, or its outcome is not known', async () => {
  const hanging = Promise.withResolvers<undefined>();
  const feed = await start({ commands: { pause: () => ({ since: 5 }), resume: () => hanging.promise } });
  const line = await cuttable(feed.server.port);
  const { client } = follow(feed, { url: line.url });
  await expect(client.command({ type: 'pause' })).rejects.toMatchObject({ code: 'feed_not_live' });
  await until(() => client.state.phase === 'live');
  expect(client.view.commands).toEqual(['pause', 'resume', 'explain']);
  expect(await client.command({ type: 'pause' })).toEqual({ since: 5 });
  expect(await client.command({ type: 'explain', trader: 'known', symbol: 'X' })).toEqual({ conditions: [] });
  await expect(client.command({ type: 'close-position', position: 'p' })).rejects.toMatchObject({ code: 'command_unavailable', nextStep: expect.any(String) as string });
  const lost = client.command({ type: 'resume' });
  line.cut();
  await expect(lost).rejects.toMatchObject({ code: 'outcome_unknown' });
  await until(() => client.state.phase === 'live');
  const { client: impatient } = follow(feed, { timing: { answerMs: 30 } });
  await until(() => impatient.state.phase === 'live');
  await expect(impatient.command({ type: 'resume' })).rejects.toMatchObject({ code: 'outcome_unknown' });
  hanging.resolve(undefined);
});

test('it listens to what it was asked to, also after a reconnect', async () => {
  const feed = await start();
  const line = await cuttable(feed.server.port);
  const { client, frames, states } = follow(feed, { url: line.url, wishes: { types: ['signal'], symbols: ['AAA', 'BBB'] } });
  await until(() => client.state.phase === 'live');
  line.cut();
  await until(() => states.slice(-2).join() === 'reconnecting,live');
  for (const symbol of ['CCC', 'AAA']) feed.source.emit({ type: 'signal', data: testSignal({ symbol }) });
  await until(() => client.signals.length === 1);
  client.listenTo({ types: ['signal'], symbols: ['CCC'] });
  await until(() => client.signals[0]?.symbol === 'CCC');
  feed.source.emit({ type: 'log', data: { at: 1, level: 'info', code: 'x', message: 'm' } });
  feed.source.emit({ type: 'signal', data: testSignal({ symbol: 'CCC' }) });
  await until(() => client.signals.length === 2);
  expect(frames.filter(({ type }) => type === 'log')).toEqual([]);
});

test('a client that cannot keep up is told so: the loss is counted and a snapshot makes it whole', async () => {
  const url = await odd((send, onCommand) => {
    for (const message of [hello, snapshot(1), frame('gap', 9, { from: 2, to: 9 })]) send(message);
    onCommand(({ type }) => { if (type === 'sync') send(snapshot(9)); });
  });
  const { client, frames } = follow(await start(), { url });
  await until(() => frames.filter(({ type }) => type === 'snapshot').length === 2);
  expect(client.view.gaps).toBe(1);
});
