import type { FeedSubscription, FeedTopic, MarketRow } from '@trademind/core';
import * as fc from 'fast-check';
import { afterEach, describe, expect, test, vi } from 'vitest';
import { LaneSet } from './lane-set.ts';
import type { Lane, Told } from './lane.ts';
import { FrameRing } from './ring.ts';

const SYMBOLS = ['AAA', 'BBB', 'CCC'];
type Frame = { seq: number; type: FeedTopic; data: unknown };

/** A feed without sockets: what is told is the truth, whoever listens must come to know it. */
class World {
  readonly ring: FrameRing;
  readonly lanes: LaneSet;
  readonly told: Frame[] = [];
  readonly rows = new Map<string, number>();
  status = 0;
  #count = 0;

  constructor(frames = 1_000) {
    this.ring = new FrameRing(frames, 1e6);
    this.lanes = new LaneSet(this.ring, 'epoch');
  }

  tell(type: FeedTopic, symbols: string[]): void {
    const price = (this.#count += 1);
    const data = type === 'metrics' ? { marketTime: price, markets: symbols.map((symbol) => ({ symbol, price }) as MarketRow) } : type === 'signal' ? { id: price, symbol: symbols[0] } : { id: price };
    if (type === 'metrics') for (const symbol of symbols) this.rows.set(symbol, price);
    if (type === 'status') this.status = price;
    const frame = { seq: this.ring.last + 1, type, data };
    this.told.push(frame);
    this.lanes.onPushed(this.ring.push(type, Buffer.from(JSON.stringify(frame)), type === 'signal' ? symbols[0] : undefined));
  }
}

/** A client as the contract asks it to be: it keeps the number of its last frame, and after a loss goes on from there. */
class Client {
  readonly rows = new Map<string, number>();
  readonly once: number[] = [];
  status = 0;
  position = 0;
  readonly #world: World;
  readonly #wishes: FeedSubscription;
  #lane: { lane: Lane; leave(): void } | undefined;
  #cursor = 0;
  #told: Told = { status: 0, metrics: 0 };
  /** So many frames still arrive before the line breaks. */
  #arriving = Infinity;

  constructor(world: World, wishes: FeedSubscription) {
    this.#world = world;
    this.#wishes = wishes;
    this.connect();
  }

  connect(): void {
    this.#lane?.leave();
    this.#cursor = this.position;
    this.#told = { status: 0, metrics: 0 };
    this.#arriving = Infinity;
    this.#lane = this.#world.lanes.join(this, this.#wishes);
    this.pump();
  }

  breakAfter(frames: number): void {
    this.#arriving = frames;
  }

  end(): void {
    this.#lane?.leave();
  }

  pump(): void {
    while (this.#cursor < this.#world.ring.last) {
      if (!this.#world.ring.reaches(this.#cursor)) throw new Error('a gap');
      const next = this.#lane!.lane.next(this.#cursor, this.#told);
      this.#cursor = next?.seq ?? this.#world.ring.last;
      if (next) this.#take(JSON.parse(next.bytes.toString()) as Frame);
    }
  }

  #take({ seq, type, data }: Frame): void {
    if ((this.#arriving -= 1) < 0) return;
    // A frame that is not newer than the last one would be dropped by a client.
    expect(seq).toBeGreaterThan(this.position);
    this.position = seq;
    if (type === 'metrics') for (const { symbol, price } of (data as { markets: MarketRow[] }).markets) this.rows.set(symbol, price);
    else if (type === 'status') this.status = (data as { id: number }).id;
    else this.once.push((data as { id: number }).id);
  }
}

const step = fc.oneof(
  { weight: 6, arbitrary: fc.record({ kind: fc.constant('tell' as const), type: fc.constantFrom<FeedTopic>('status', 'metrics', 'metrics', 'signal', 'log'), symbols: fc.subarray(SYMBOLS, { minLength: 1 }) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('break' as const), frames: fc.nat(3) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('wait' as const), ms: fc.integer({ min: 1, max: 300 }) }) },
);
const wishes = fc.record({
  types: fc.option(fc.subarray<FeedTopic>(['status', 'metrics', 'signal', 'log']), { nil: undefined }),
  symbols: fc.option(fc.subarray(SYMBOLS), { nil: undefined }), everyMs: fc.constantFrom(0, 100),
});

describe('a lane', () => {
  afterEach(() => vi.useRealTimers());

  test('whatever a client listens to and wherever its line breaks, it ends with the newest of all, and each signal and log entry once, in order', () => {
    vi.useFakeTimers();
    fc.assert(fc.property(wishes, fc.array(step, { maxLength: 60 }), (wish, steps) => {
      const world = new World();
      const clients = [new Client(world, wish), new Client(world, wish)];
      for (const one of steps) {
        if (one.kind === 'tell') world.tell(one.type, one.symbols);
        else if (one.kind === 'wait') vi.advanceTimersByTime(one.ms);
        else {
          clients[0]!.breakAfter(one.frames);
          world.tell('log', []);
          world.tell('metrics', SYMBOLS);
          vi.advanceTimersByTime(150);
          clients[0]!.connect();
        }
      }
      vi.advanceTimersByTime(200);
      const hears = (type: FeedTopic) => wish.types?.includes(type) ?? true;
      const isMeant = (symbol: string) => wish.symbols?.includes(symbol) ?? true;
      const once = world.told.filter(({ type, data }) => (type === 'log' || (type === 'signal' && isMeant((data as { symbol: string }).symbol))) && hears(type)).map(({ data }) => (data as { id: number }).id);
      for (const client of clients) {
        expect(client.once).toEqual(once);
        if (hears('metrics')) for (const [symbol, price] of world.rows) if (isMeant(symbol)) expect(client.rows.get(symbol)).toBe(price);
        expect([...client.rows.keys()].filter((symbol) => !isMeant(symbol))).toEqual([]);
        if (hears('status')) expect(client.status).toBe(world.status);
        client.end();
      }
    }), { numRuns: 500 });
  });

  test('a client that wants updates rarely gets the first at once, then the newest of many, and signals at once with what was held', () => {
    vi.useFakeTimers();
    const world = new World();
    const got: Frame[] = [];
    const told: Told = { status: 0, metrics: 0 };
    let cursor = 0;
    const listener = {
      pump() {
        for (let next = lane.next(cursor, told); next; next = lane.next(cursor, told)) {
          got.push(JSON.parse(next.bytes.toString()) as Frame);
          cursor = next.seq;
        }
        cursor = world.ring.last;
      },
    };
    const { lane } = world.lanes.join(listener, { everyMs: 1_000, types: ['metrics', 'signal'] });
    for (let i = 0; i < 5; i += 1) world.tell('metrics', ['AAA']);
    world.tell('log', []);
    expect(got.map(({ seq }) => seq)).toEqual([1]);
    vi.advanceTimersByTime(1_000);
    expect(got.slice(1)).toEqual([{ v: 1, epoch: 'epoch', seq: 2, type: 'metrics', data: { marketTime: 5, markets: [{ symbol: 'AAA', price: 5 }] } }]);
    world.tell('metrics', ['BBB']);
    world.tell('signal', ['AAA']);
    expect(got.slice(2).map(({ type }) => type)).toEqual(['metrics', 'signal']);
    vi.advanceTimersByTime(10_000);
    expect(got).toHaveLength(4);
  });

  test('what is made for one client is the same bytes for the next one of the same wishes, in whatever order they were named', () => {
    const world = new World();
    world.tell('metrics', SYMBOLS);
    const one = world.lanes.join({ pump: () => undefined }, { symbols: ['AAA', 'BBB'], types: ['metrics', 'signal'] });
    const other = world.lanes.join({ pump: () => undefined }, { symbols: ['BBB', 'AAA'], types: ['signal', 'metrics'] });
    expect(other.lane).toBe(one.lane);
    const bytes = () => one.lane.next(0, { status: 0, metrics: 0 })?.bytes;
    expect(bytes()).toBe(bytes());
    expect(bytes()?.toString()).not.toContain('CCC');
    const all = world.lanes.join({ pump: () => undefined }, {});
    expect(all.lane.next(0, { status: 0, metrics: 0 })?.bytes).toBe(world.ring.at(1)?.bytes);
  });

  test('a client that waits is not left behind by a small ring', () => {
    vi.useFakeTimers();
    const world = new World(10);
    const client = new Client(world, { everyMs: 60_000, types: ['metrics'] });
    for (let i = 0; i < 200; i += 1) world.tell(i % 3 === 0 ? 'log' : 'metrics', ['AAA']);
    client.pump();
    expect(client.rows.get('AAA')).toBe(200);
    client.end();
  });
});
