import type { Worker } from 'node:worker_threads';
import type { Interval } from '@trademind/core';
import { checksumOfText } from '@trademind/engine';
import type { Log } from '../log.ts';
import { Backoff, type Wall } from '../time.ts';
import { Shard, type Task } from './shard.ts';
import type { Answer } from './worker-messages.ts';

export interface ShardsOptions {
  defaultInterval: Interval;
  wall: Wall;
  log: Log;
  /** A worker that owes an answer for so long (ms of wall time) is taken for hung. */
  patienceMs: number;
  onAnswer: (answer: Answer, task: Task) => void;
  /** A worker takes another's place: it must be asked to begin. */
  onReplaced: (shard: Shard, index: number) => void;
  /** A worker must be asked once more for its lanes, which went with another. */
  askLanes: (shard: Shard, saved: (lanes: Uint8Array) => void) => void;
}

const RESTART = { first: 50, most: 10_000 };
const LOOK_MS = 1_000;

/** The worker threads that there are, each for its share of the symbols. One that throws, hangs or dies is replaced: at once, and with growing waits where that happens again and again. */
export class Shards {
  readonly #options: ShardsOptions;
  readonly #hashes = new Map<string, number>();
  readonly #waiting: (() => void)[] = [];
  #shards: Shard[] = [];
  #watch: NodeJS.Timeout | undefined;
  #replaced = 0;
  #stopped = false;

  constructor(options: ShardsOptions) {
    this.#options = options;
  }

  get size(): number {
    return this.#shards.length;
  }

  all(): readonly Shard[] {
    return this.#shards;
  }

  /** Whether every worker there is has taken over its symbols. */
  get ready(): boolean {
    return this.#shards.every(({ answered }) => answered);
  }

  /** Workers that had to be replaced since the start. */
  get replaced(): number {
    return this.#replaced;
  }

  /** Whether workers owe an answer. */
  get busy(): boolean {
    return this.#shards.some(({ busy }) => busy);
  }

  get threads(): readonly Worker[] {
    return this.#shards.map(({ thread }) => thread);
  }

  /** Resolves once the workers owe nothing. */
  settled(): Promise<void> {
    return this.busy ? new Promise((resolve) => { this.#waiting.push(resolve); }) : Promise.resolve();
  }

  /** The worker of a symbol: always the same one. */
  of(symbol: string): Shard {
    return this.#shards[this.indexOf(symbol)]!;
  }

  indexOf(symbol: string): number {
    let hash = this.#hashes.get(symbol);
    if (hash === undefined) this.#hashes.set(symbol, (hash = checksumOfText(symbol)));
    return hash % this.#shards.length;
  }

  /** Those of the symbols that are the worker's of this index. */
  part(symbols: ReadonlySet<string>, index: number): ReadonlySet<string> {
    return new Set([...symbols].filter((symbol) => this.indexOf(symbol) === index));
  }

  /** Starts so many, where there are none; whoever asks tells each how to begin. */
  start(count: number): void {
    this.#shards = Array.from({ length: count }, () => this.#new());
    this.#watch ??= setInterval(() => this.#look(), LOOK_MS).unref();
  }

  /** Ends all that there are; nothing more is heard of them. */
  dismiss(): Promise<unknown> {
    return Promise.all(this.#shards.splice(0).map((shard) => shard.end()));
  }

  /** Ends all for good. */
  async stop(): Promise<void> {
    this.#stopped = true;
    clearInterval(this.#watch);
    const ended = this.dismiss();
    this.wake();
    await ended;
  }

  /** Whoever waits for them to settle hears of it, if they have. */
  wake(): void {
    if (!this.busy) for (const settled of this.#waiting.splice(0)) settled();
  }

  #new(retry = new Backoff({ ...RESTART, random: this.#options.wall.random })): Shard {
    const { defaultInterval, wall, onAnswer } = this.#options;
    return new Shard({
      defaultInterval, retry, now: wall.now,
      onAnswer: (answer, task) => {
        onAnswer(answer, task);
        this.wake();
      },
      onEnd: (shard, why) => this.#replace(shard, why),
    });
  }

  #replace(shard: Shard, why: string): void {
    const index = this.#shards.indexOf(shard);
    if (index < 0 || this.#stopped) return;
    this.#replaced += 1;
    void shard.end();
    const wait = shard.retry.failures === 0 ? 0 : shard.retry.next();
    if (wait === 0) shard.retry.next();
    this.#options.log('error', 'worker_replaced', `Screening worker ${index + 1} of ${this.#shards.length} ${why}; another takes over its symbols${wait > 0 ? ` in ${Math.round(wait)} ms` : ''}.`);
    if (wait === 0) this.#takeOver(shard);
    else setTimeout(() => this.#takeOver(shard), wait);
  }

  #takeOver(old: Shard): void {
    const index = this.#shards.indexOf(old);
    if (index < 0 || this.#stopped) return;
    const shard = this.#new(old.retry);
    this.#shards[index] = shard;
    this.#options.onReplaced(shard, index);
    for (const saved of old.waiting) this.#options.askLanes(shard, saved);
  }

  /** Looks for workers that hang. */
  #look(): void {
    const late = this.#options.wall.now() - this.#options.patienceMs;
    for (const shard of this.#shards) if (shard.owesSince <= late) this.#replace(shard, 'hangs');
  }
}
