import { fork, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import type { Heard, Wish } from './feed-readers.ts';
import type { Order, Ticked, Told } from './feed-server.ts';

export interface FeedFigures { p50Ms: number; p99Ms: number; cpuPercent: number }

/** A server in a process of its own with so many clients in another: what is measured is what one machine's process does. */
export class FeedSide {
  readonly #server: ChildProcess;
  readonly #readers: ChildProcess;
  readonly #clients: number;

  private constructor(server: ChildProcess, readers: ChildProcess, clients: number) {
    this.#server = server;
    this.#readers = readers;
    this.#clients = clients;
  }

  static async start(kind: 'ours' | 'bare', clients: number): Promise<FeedSide> {
    const [server, readers] = await Promise.all([child('feed-server.ts', [kind]), child('feed-readers.ts', [])]);
    const told = await ask<Told>(server, { kind: 'tickets', count: clients } satisfies Order);
    await ask(readers, { kind: 'connect', ...told } satisfies Wish);
    return new FeedSide(server, readers, clients);
  }

  /** Throws when a tick did not reach every client. */
  async measure(ticks: number, perSecond: number): Promise<FeedFigures> {
    const { cpuMs, wallMs } = await ask<Ticked>(this.#server, { kind: 'tick', ticks, perSecond } satisfies Order);
    const { p50Ms, p99Ms, count } = await ask<Heard>(this.#readers, { kind: 'report' } satisfies Wish);
    if (count !== ticks * this.#clients) throw new Error(`${count} of ${ticks * this.#clients} ticks arrived.`);
    return { p50Ms, p99Ms, cpuPercent: (cpuMs / wallMs) * 100 };
  }

  close(): void {
    this.#server.disconnect();
    this.#readers.disconnect();
  }
}

async function child(file: string, args: string[]): Promise<ChildProcess> {
  const started = fork(join(import.meta.dirname, file), args, { execArgv: ['--disable-warning=ExperimentalWarning'] });
  await once(started, 'message');
  return started;
}

async function ask<T>(of: ChildProcess, what: Order | Wish): Promise<T> {
  of.send(what);
  const [answer] = await once(of, 'message') as [T];
  return answer;
}
