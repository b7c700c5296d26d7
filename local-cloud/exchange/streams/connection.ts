import { once } from 'node:events';
import type { Duplex } from 'node:stream';
import type { RawData, WebSocket } from 'ws';
import { FaultyLine } from '../faults/faulty-line.ts';
import { answerControl, MAX_STREAMS, type Subscriptions } from './control.ts';
import { Frame } from './frame.ts';
import type { Faults } from '../faults/faults.ts';
import type { Broadcaster, Subscriber } from './broadcaster.ts';

const MESSAGES_PER_SECOND = 5;
const PING_EVERY = 20_000;
const PONG_WITHIN = 60_000;
const LONGEST_LIFE = 24 * 60 * 60_000;
/** A socket that is this far behind is closed: its client reconnects and asks for what it missed. */
const MOST_BUFFERED = 4 * 1024 * 1024;
const DRAIN_WITHIN = 2_000;
const POLICY = 1008;

export interface ConnectionOptions {
  id: string;
  socket: WebSocket;
  /** The stream under the WebSocket: frames that many share are written to it as they are. */
  wire: Duplex;
  combined: boolean;
  broadcaster: Broadcaster;
  faults: Faults;
  /** Wall time, ms. */
  now: () => number;
  log: (line: Record<string, unknown>) => void;
}

/** One client: its subscriptions, its limits, and what is on its way to it. */
export class Connection implements Subscriber, Subscriptions {
  readonly id: string;
  combined: boolean;
  readonly #options: ConnectionOptions;
  readonly #streams = new Set<string>();
  readonly #line = new FaultyLine((bytes) => this.#write(bytes));
  readonly #openedAt: number;
  readonly #received: number[] = [];
  #batch: Buffer[] = [];
  #sent = 0;
  #pingedAt: number;
  #pongedAt: number;

  constructor(options: ConnectionOptions) {
    const { socket, now } = options;
    this.id = options.id;
    this.combined = options.combined;
    this.#options = options;
    this.#openedAt = this.#pingedAt = this.#pongedAt = now();
    socket.on('error', () => socket.terminate());
    socket.on('message', (data, binary) => this.#obey(data, binary));
    socket.on('ping', (payload: Buffer) => {
      if (this.#withinRate() && !this.#stalled) socket.pong(payload);
    });
    socket.on('pong', () => {
      this.#pongedAt = now();
      this.#withinRate();
    });
  }

  start(streams: readonly string[]): void {
    if (streams.length > MAX_STREAMS) this.#options.socket.close(POLICY, 'Too many subscriptions');
    else for (const stream of streams) this.add(stream);
  }

  names(): readonly string[] {
    return [...this.#streams];
  }

  has(stream: string): boolean {
    return this.#streams.has(stream);
  }

  add(stream: string): void {
    this.#streams.add(stream);
    if (!this.#options.broadcaster.subscribe(stream, this)) this.#options.log({ level: 'warn', event: 'stream_without_data', stream: stream.slice(0, 80) });
  }

  remove(stream: string): void {
    if (this.#streams.delete(stream)) this.#options.broadcaster.unsubscribe(stream, this);
  }

  send(frame: Frame): void {
    const { faults } = this.#options;
    if (!faults.touchFrames && this.#line.idle) this.#write(frame.bytes(this.combined));
    else this.#line.send(frame, this.combined, faults.frame(frame.stream, frame.payload, this.id));
  }

  /** Says that the server is about to go, and goes. */
  shutDown(eventTime: number, closeAfterMs: number): void {
    this.#write(new Frame('!serverShutdown', `{"e":"serverShutdown","E":${eventTime}}`).bytes(this.combined));
    setTimeout(() => this.leave(), closeAfterMs).unref();
  }

  /** Pings when it is due; ends a connection that does not answer, or that has lived its day. */
  keepAlive(): void {
    const { socket, now } = this.#options;
    const wall = now();
    if (wall - this.#openedAt >= LONGEST_LIFE) this.leave();
    else if (this.#pingedAt > this.#pongedAt && wall - this.#pongedAt >= PONG_WITHIN + PING_EVERY) socket.terminate();
    else if (wall - this.#pingedAt >= PING_EVERY && !this.#stalled) {
      this.#pingedAt = wall;
      socket.ping(String(wall));
    }
  }

  leave(code = 1001): void {
    this.#flush();
    this.#options.socket.close(code, code === 1001 ? 'going away' : undefined);
  }

  /** Ends the TCP connection without a closing handshake. */
  cut(): void {
    this.#options.socket.terminate();
  }

  /** Resolves when what was sent has left, or after a while: a client that does not read holds nobody up. */
  async drained(): Promise<void> {
    const { wire } = this.#options;
    this.#flush();
    if (!wire.writableNeedDrain) return;
    await Promise.race([once(wire, 'drain'), once(wire, 'close'), new Promise((resolve) => { setTimeout(resolve, DRAIN_WITHIN).unref(); })]).catch(() => undefined);
  }

  end(): void {
    this.#line.close();
    for (const stream of this.#streams) this.#options.broadcaster.unsubscribe(stream, this);
    this.#streams.clear();
  }

  report(): Record<string, unknown> {
    return {
      id: this.id, combined: this.combined, streams: this.#streams.size, openForMs: this.#options.now() - this.#openedAt,
      framesSent: this.#sent, bytesWaiting: this.#options.wire.writableLength,
    };
  }

  get #stalled(): boolean {
    return this.#options.faults.stalls(this.id);
  }

  /** Gathers the frames of one turn, so that they leave in one write. */
  #write(bytes: Buffer): void {
    this.#batch.push(bytes);
    if (this.#batch.length === 1) process.nextTick(() => this.#flush());
  }

  #flush(): void {
    const { socket, wire, log } = this.#options;
    const batch = this.#batch;
    if (batch.length === 0) return;
    this.#batch = [];
    if (socket.readyState !== socket.OPEN || this.#stalled) return;
    if (wire.writableLength > MOST_BUFFERED) {
      log({ level: 'warn', event: 'slow_client_closed', buffered: wire.writableLength });
      socket.terminate();
      return;
    }
    this.#sent += batch.length;
    wire.write(batch.length === 1 ? batch[0] : Buffer.concat(batch));
  }

  #obey(data: RawData, binary: boolean): void {
    if (!this.#withinRate()) return;
    const { socket } = this.#options;
    if (binary) {
      socket.close(1003, 'text frames only');
      return;
    }
    const answer = answerControl(Buffer.isBuffer(data) ? data.toString('utf8') : '', this);
    if (!this.#stalled) socket.send(answer);
  }

  /** Counts a ping, a pong or a control frame; a client that sends more than five a second is disconnected. */
  #withinRate(): boolean {
    const now = this.#options.now();
    this.#received.push(now);
    if (this.#received.length <= MESSAGES_PER_SECOND) return true;
    const sixthLast = this.#received.shift() as number;
    if (now - sixthLast >= 1_000) return true;
    this.#options.socket.close(POLICY, 'Too many requests');
    return false;
  }
}
