import { fork, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { median, type BenchRow } from '../frame/row.ts';
import type { Heard, Wish } from './feed-readers.ts';
import type { Order, Ticked, Told } from './feed-server.ts';

interface FeedFigures { p50Ms: number; p99Ms: number; cpuPercent: number }

/** A server in a process of its own with so many clients in another: what is measured is what one machine's process does. */
class FeedSide {
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

const CLIENTS = 100;
const PER_SECOND = 200;
const TICKS = 1_000;

/** From a tick in the machine's process to all its clients, against a bare `ws` server with the same frames, in turns. */
export function feedLatencyRow(): BenchRow {
  const sides = new Map<'ours' | 'bare', FeedSide>();
  const taken: Record<'ours' | 'bare', FeedFigures[]> = { ours: [], bare: [] };
  const measure = async (kind: 'ours' | 'bare'): Promise<number> => {
    let side = sides.get(kind);
    if (!side) {
      sides.set(kind, side = await FeedSide.start(kind, CLIENTS));
      // What the first ticks compile is not what a feed costs.
      await side.measure(TICKS, PER_SECOND);
    }
    const figures = await side.measure(TICKS, PER_SECOND);
    taken[kind].push(figures);
    return figures.p50Ms;
  };
  const middle = (kind: 'ours' | 'bare', figure: keyof FeedFigures) => median(taken[kind].map((one) => one[figure]));
  return {
    id: 'machine.feed-latency', unit: 'ms', runs: 5,
    what: `a tick in the machine's process until it is with each of ${CLIENTS} clients, ${PER_SECOND} a second, the server in one process and the clients in another: median; nothing is held back for company`,
    measure: () => measure('ours'),
    peers: [{ name: 'a bare ws server', measure: () => measure('bare'), ratio: 1 / 1.25 }],
    also: () => {
      for (const side of sides.values()) side.close();
      return Promise.resolve([
        { name: '99th percentile, ours', unit: 'ms', value: middle('ours', 'p99Ms') }, { name: '99th percentile, bare', unit: 'ms', value: middle('bare', 'p99Ms') },
        { name: '99th percentile, ours of bare', unit: '×', value: middle('ours', 'p99Ms') / middle('bare', 'p99Ms'), must: 1.5 },
        { name: 'of a core, ours', unit: '%', value: middle('ours', 'cpuPercent') }, { name: 'of a core, bare', unit: '%', value: middle('bare', 'cpuPercent') },
        { name: 'processor time, ours of bare', unit: '×', value: middle('ours', 'cpuPercent') / middle('bare', 'cpuPercent'), must: 1.3 },
      ]);
    },
  };
}
