import { pause, systemWall, type Wall } from '../../time.ts';
import type { ExchangeAccess } from '../exchange-access.ts';
import type { StreamSocket, StreamSocketEvents } from '../stream-socket.ts';
import { RecordedMarket, streamName } from './recorded-market.ts';
import { RecordedMemberships } from './recorded-memberships.ts';
import { readRecording } from './recording-file.ts';
import { ReplayWall } from './replay-wall.ts';

/** A connection and a subscription are answered after so long. */
const ANSWER_MS = 1;
const PING_MS = 20_000;
/** After the last event what is late is still fetched. */
const TAIL_MS = 30_000;
/** A recording that does not tell how its connections were made: the replay begins a moment before, to make them. */
const LEAD_MS = 1_000;
/** Control answers and announcements of a recorded connection are none of the replay's. */
const CONTROL = /^\{"(result|error|id)"/;

export interface ReplayOptions {
  /** 1 = as it happened; Infinity = as fast as it goes. */
  speed?: number;
  /** For the draws of back-off and the like. */
  seed?: number;
  /** By which a finite speed is paced. */
  real?: Wall;
}

export interface ReplayReport {
  /** Frames of the recording, and of them those that nobody was connected for. */
  frames: number;
  undelivered: number;
  /** Time that the recording covers, ms. */
  coversMs: number;
  /** The recording ends in a torn block: its session was killed. */
  torn: boolean;
}

export interface Replay {
  exchange: ExchangeAccess;
  wall: Wall;
  /** False where the recording holds no answers (symbols, time): its frames can be read, but no machine can boot from it. */
  hasAnswers: boolean;
  /** Whom the session's traders screened, and when; recordings of before have nothing of it. */
  memberships: RecordedMemberships;
  /** What frames are in it. */
  streams: RecordedMarket['streams'];
  /** Plays it to the end, or until aborted. */
  run(signal?: AbortSignal): Promise<ReplayReport>;
}

/**
 * A recorded session as an exchange: the same client connects to it, subscribes and asks. Time is the recording's own, and everything that
 * waits waits in it, so that a replay does the same every time, at whatever speed. Throws `recording_unreadable`.
 */
export async function openReplay(path: string, { speed = Infinity, seed = 1, real = systemWall }: ReplayOptions = {}): Promise<Replay> {
  const market = await RecordedMarket.read(path);
  const beginsAt = market.firstAt - (market.hasAnswers ? 0 : LEAD_MS);
  const wall = new ReplayWall(beginsAt, seed);
  const sockets = new Set<ReplaySocket>();
  const clock = new PacedClock(wall, real, speed);
  return {
    wall, hasAnswers: market.hasAnswers, streams: market.streams, memberships: new RecordedMemberships(market.memberships, wall.epoch),
    exchange: {
      restUrl: 'http://recording', streamUrl: 'ws://recording',
      fetch: (input, init) => new Promise((resolve, reject) => {
        const url = new URL(input);
        const answer = market.answer(url.pathname + url.search, beginsAt + wall.now());
        wall.after(answer.takesMs, () => resolve(new Response(answer.body, { status: answer.status, headers: answer.headers })));
        init?.signal?.addEventListener('abort', () => reject(new DOMException('The replay has ended.', 'AbortError')), { once: true });
      }),
      openSocket: (_url, events) => new ReplaySocket(wall, events, sockets),
    },
    run: async (signal) => {
      const report: ReplayReport = { frames: 0, undelivered: 0, coversMs: market.lastAt - market.firstAt, torn: market.torn };
      await settle();
      for await (const event of readRecording(path)) {
        if (signal?.aborted) return report;
        if (event.kind !== 'frame' || CONTROL.test(event.bytes.toString('latin1', 0, 10))) continue;
        await clock.moveTo(event.at, signal);
        report.frames += 1;
        if (!deliver(event.bytes, sockets)) report.undelivered += 1;
        await settle();
      }
      await clock.moveTo(market.lastAt + TAIL_MS, signal);
      return report;
    },
  };
}

/** Lets all promises go on that can. */
function settle(): Promise<void> {
  return new Promise((resolve) => { setImmediate(resolve); });
}

/** To the connection that has subscribed to the frame's stream, else to the first: what nobody asked for is counted there. */
function deliver(bytes: Buffer, sockets: ReadonlySet<ReplaySocket>): boolean {
  const name = streamName(bytes);
  let first: ReplaySocket | undefined;
  for (const socket of sockets) {
    if (!socket.isOpen) continue;
    first ??= socket;
    if (socket.streams.has(name)) {
      socket.events.onFrame(bytes, false);
      return true;
    }
  }
  first?.events.onFrame(bytes, false);
  return first !== undefined;
}

/** Moves the replay's time, timer by timer, no faster than the speed allows. */
class PacedClock {
  readonly #wall: ReplayWall;
  readonly #real: Wall;
  readonly #speed: number;
  #began: number | undefined;

  constructor(wall: ReplayWall, real: Wall, speed: number) {
    this.#wall = wall;
    this.#real = real;
    this.#speed = speed;
  }

  async moveTo(at: number, signal = new AbortController().signal): Promise<void> {
    for (let next = this.#wall.nextAt(); next !== undefined && next <= at && !signal.aborted; next = this.#wall.nextAt()) {
      await this.#pace(next, signal);
      this.#wall.runNext();
      await settle();
    }
    await this.#pace(at, signal);
    this.#wall.moveTo(at);
  }

  async #pace(at: number, signal: AbortSignal): Promise<void> {
    if (this.#speed === Infinity) return;
    this.#began ??= this.#real.now();
    const waitMs = this.#began + this.#wall.sinceBegin(at) / this.#speed - this.#real.now();
    if (waitMs >= 1) await pause(waitMs, signal, this.#real);
  }
}

/** A connection to the replay: it answers subscriptions and pings as the exchange does. */
class ReplaySocket implements StreamSocket {
  readonly streams = new Set<string>();
  readonly events: StreamSocketEvents;
  readonly #wall: ReplayWall;
  readonly #sockets: Set<ReplaySocket>;
  #state: 'opening' | 'open' | 'closed' = 'opening';
  #cancelPing: (() => void) | undefined;

  constructor(wall: ReplayWall, events: StreamSocketEvents, sockets: Set<ReplaySocket>) {
    this.#wall = wall;
    this.events = events;
    this.#sockets = sockets;
    wall.after(ANSWER_MS, () => {
      if (this.#state !== 'opening') return;
      this.#state = 'open';
      sockets.add(this);
      this.#ping();
      events.onOpen();
    });
  }

  get isOpen(): boolean {
    return this.#state === 'open';
  }

  send(text: string): void {
    const { method, params, id } = JSON.parse(text) as { method: string; params: string[]; id: number };
    for (const stream of params) {
      if (method === 'SUBSCRIBE') this.streams.add(stream);
      else this.streams.delete(stream);
    }
    this.#wall.after(ANSWER_MS, () => { if (this.isOpen) this.events.onFrame(Buffer.from(JSON.stringify({ result: null, id })), false); });
  }

  close(): void {
    if (this.#state === 'closed') return;
    this.#state = 'closed';
    this.#sockets.delete(this);
    this.#cancelPing?.();
    // A replay that has ended moves no timer any more: the end is told at once.
    queueMicrotask(() => this.events.onClose(1000, ''));
  }

  terminate(): void {
    this.close();
  }

  #ping(): void {
    this.#cancelPing = this.#wall.after(PING_MS, () => { this.#ping(); this.events.onPing(); });
  }
}
