import type { FeedFrame, FeedSubscription } from '@trademind/core';
import { createFeedClient } from '@trademind/feed-client';
import { afterEach, expect, test } from 'vitest';
import { seeded } from '../../bench/frame/chaos.ts';
import { startTestFeed, testSignal, testStatus, type TestFeed } from '../support/feed.ts';
import { BREAKS, startHarshLine, type Break, type HarshLine } from '../support/harsh-line.ts';

const MESSAGES = 10_000;
const DISCONNECTIONS = 50;
/** The machine keeps 1,000 frames: it is told no more than this before the client has what came before. */
const AHEAD = 500;
const SYMBOLS = 40;
const SEED = 20_261_126;

const ending: (() => unknown)[] = [];
afterEach(async () => {
  for (const end of ending.splice(0).toReversed()) await end();
});

/** Tells message `index` in one of four forms, each of which carries it. */
function tell({ source }: TestFeed, index: number): void {
  switch (index % 4) {
    case 0: return source.emit({ type: 'signal', data: testSignal({ price: index + 1, symbol: `S${index % SYMBOLS}` }) });
    case 1: return source.emit({ type: 'log', data: { at: index, level: 'info', code: 'x', message: 'm'.repeat(index % 300) } });
    case 2: return source.emit({ type: 'status', data: testStatus({ startedAt: index }) });
    default: return source.emit({ type: 'metrics', data: { marketTime: index, markets: [{ symbol: `S${index % SYMBOLS}`, price: index, change24h: null, quoteVolume24h: null, matches: [], halted: false }] } });
  }
}

/** Which message a frame carries; undefined for frames about the line. */
function indexOf(frame: FeedFrame): number | undefined {
  switch (frame.type) {
    case 'signal': return frame.data.price - 1;
    case 'log': return frame.data.at;
    case 'status': return frame.data.startedAt;
    case 'metrics': return frame.data.marketTime;
    default: return undefined;
  }
}

const turn = () => new Promise<void>((resolve) => { setImmediate(resolve); });

async function run(wishes: FeedSubscription) {
  const random = seeded(SEED);
  const feed = await startTestFeed();
  ending.push(() => feed.close());
  const line: HarshLine = await startHarshLine(feed.server.port);
  ending.push(() => line.close());
  const frames: FeedFrame[] = [];
  /** Number of the last frame that the client has: a machine's first is 1. */
  let heard = 0;
  const client = createFeedClient({
    // a generator of its own: how often it draws depends on how its line fares
    wishes, random: seeded(SEED + 1),
    getTicket: async () => ({ ticket: await feed.ticket(), url: feed.server.url, feed: `${line.url.replace('http', 'ws')}/v1/feed`, machineId: feed.source.machineId }),
    onFrame: (frame) => {
      frames.push(frame);
      if (indexOf(frame) !== undefined || frame.type === 'pong') heard = Math.max(heard, frame.seq);
    },
    timing: { baseMs: 1, capMs: 20, pingMs: 40, silenceMs: 400 },
  });
  ending.push(() => client.close());
  client.connect();
  while (client.state.phase !== 'live') await turn();

  const moments = new Set<number>();
  while (moments.size < DISCONNECTIONS) moments.add(1 + Math.floor(random() * (MESSAGES - 1_000)));
  const breaks: Partial<Record<Break, number>> = {};
  let breakings = 0;
  let breaking: Promise<void> | undefined;
  let told = 0;
  for (; told < MESSAGES; told += 1) {
    if (moments.has(told)) {
      // each break has its moment; the line's own pongs give the one before its chance
      while (breaking) await turn();
      const kind = BREAKS[breakings % BREAKS.length]!;
      breakings += 1;
      breaks[kind] = (breaks[kind] ?? 0) + 1;
      // A handshake only takes place after another break made it necessary.
      breaking = (kind === 'handshake' ? line.breakBy('between', 0).then(() => line.breakBy('handshake', random())) : line.breakBy(kind, random())).then(() => { breaking = undefined; });
    }
    tell(feed, told);
    if (random() < 0.1) await turn();
    while (told - heard > AHEAD) await turn();
  }
  return { feed, line, client, frames, breaks };
}

test(`${MESSAGES.toLocaleString('en')} messages through ${DISCONNECTIONS} forced disconnections, many of them amid a frame, arrive complete, in order, once`, async () => {
  const { feed, line, client, frames, breaks } = await run({});
  while (frames.findLast((frame) => indexOf(frame) !== undefined)?.seq !== MESSAGES) await turn();
  const arrived = frames.map(indexOf).filter((index) => index !== undefined);
  expect(arrived).toEqual(Array.from({ length: MESSAGES }, (_, index) => index));
  expect(frames.filter(({ type }) => type === 'snapshot')).toHaveLength(1);
  expect([client.view.gaps, client.view.malformed, feed.server.stats().gaps]).toEqual([0, 0, 0]);
  expect(breaks).toEqual(Object.fromEntries(BREAKS.map((kind) => [kind, DISCONNECTIONS / BREAKS.length])));
  // One more connection for each break, and one more for each broken handshake.
  expect(line.connections()).toBeGreaterThan(DISCONNECTIONS);
}, 300_000);

test('the same for a client that wants updates rarely and of some symbols only: each signal and log entry once, in order, and in the end the newest of all else', async () => {
  const symbols = Array.from({ length: SYMBOLS / 2 }, (_, index) => `S${index * 2}`).concat('S3', 'S7');
  const { feed, client, frames } = await run({ symbols, everyMs: 100 });
  const expected = Array.from({ length: MESSAGES }, (_, index) => index).filter((index) => index % 4 === 1 || (index % 4 === 0 && symbols.includes(`S${index % SYMBOLS}`)));
  const arrived = () => frames.filter(({ type }) => type === 'signal' || type === 'log').map(indexOf);
  const newest = () => feed.source.markets().filter(({ symbol }) => symbols.includes(symbol)).every(({ symbol, price }) => client.markets.get(symbol)?.price === price) && client.status?.startedAt === feed.source.status().startedAt;
  while (arrived().length < expected.length || !newest()) await turn();
  expect(arrived()).toEqual(expected);
  expect([...client.markets.keys()].toSorted()).toEqual(['S3', 'S7']);
  expect(frames.filter(({ type }) => type === 'snapshot')).toHaveLength(1);
}, 300_000);
