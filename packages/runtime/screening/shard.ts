import { Worker } from 'node:worker_threads';
import type { Candle, Interval } from '@trademind/core';
import type { ActiveTrader } from '@trademind/engine';
import type { Backoff } from '../time.ts';
import type { Answer, Request, Word } from './worker-messages.ts';

/** The worker's file lies beside this one, in the source and in a bundle. */
const WORKER = new URL(import.meta.url.endsWith('.ts') ? './screening-worker.ts' : './screening-worker.js', import.meta.url);

/** What a worker was asked and has not answered. */
export interface Task {
  readonly sentAt: number;
  /** The traders that the worker runs when it answers: its matches name them by their place. */
  readonly running: readonly ActiveTrader[];
  readonly saved?: ((lanes: Uint8Array) => void) | undefined;
}

export interface ShardOptions {
  defaultInterval: Interval;
  retry: Backoff;
  /** Time now, ms of wall time. */
  now: () => number;
  onAnswer: (answer: Answer, task: Task) => void;
  /** The thread has ended or failed by itself. */
  onEnd: (shard: Shard, why: string) => void;
}

/** One worker thread and what it owes. Nothing is heard of it once it was ended. */
export class Shard {
  readonly thread: Worker;
  readonly retry: Backoff;
  /** Series that wait for the end of this turn of the event loop. */
  readonly due = new Set<number>();
  readonly peeks = new Map<number, Candle>();
  readonly #tasks = new Map<number, Task>();
  readonly #now: () => number;
  #next = 0;
  #answered = false;
  #ended = false;

  constructor({ defaultInterval, retry, now, onAnswer, onEnd }: ShardOptions) {
    this.retry = retry;
    this.#now = now;
    this.thread = new Worker(WORKER, { workerData: { defaultInterval }, name: 'screening' });
    this.thread.on('message', (answer: Answer) => {
      const task = this.#tasks.get(answer.task);
      if (task === undefined || this.#ended) return;
      this.#tasks.delete(answer.task);
      this.#answered = true;
      retry.reset();
      onAnswer(answer, task);
    });
    this.thread.on('error', (error) => this.#over(onEnd, `failed: ${error instanceof Error ? error.message : String(error)}`));
    this.thread.on('exit', () => this.#over(onEnd, 'ended'));
  }

  /** Whether it has begun to work. */
  get answered(): boolean {
    return this.#answered;
  }

  /** Whether it owes an answer; one that has ended owes all until another is in its place. */
  get busy(): boolean {
    return this.#ended || this.#tasks.size > 0 || this.due.size + this.peeks.size > 0;
  }

  /** When the oldest of what it owes was asked (ms of wall time); Infinity where it owes nothing or has ended. */
  get owesSince(): number {
    const [oldest] = this.#tasks.values();
    return this.#ended || oldest === undefined ? Infinity : oldest.sentAt;
  }

  /** Those who wait for its lanes, for whoever takes its place. */
  get waiting(): ((lanes: Uint8Array) => void)[] {
    return [...this.#tasks.values()].flatMap(({ saved }) => saved ?? []);
  }

  tell(word: Word): void {
    if (!this.#ended) this.thread.postMessage(word);
  }

  /** @param saved hears of the lanes, of a request to save them. */
  ask(request: Request, running: readonly ActiveTrader[], saved?: (lanes: Uint8Array) => void): void {
    const task = this.#next++;
    this.#tasks.set(task, { sentAt: this.#now(), running, saved });
    if (!this.#ended) this.thread.postMessage({ ...request, task });
  }

  /** Ends the thread. */
  end(): Promise<number> {
    this.#ended = true;
    return this.thread.terminate();
  }

  #over(onEnd: ShardOptions['onEnd'], why: string): void {
    if (!this.#ended) onEnd(this, why);
  }
}
