import { FEED_CLOSE, FeedCommand, type FeedFrame } from '@trademind/core';
import type { RawData, WebSocket } from 'ws';
import type { Gate, Grant } from './gate.ts';
import type { FeedLimits } from './options.ts';
import { FeedRefusal } from './refusal.ts';
import type { FrameRing, RingFrame } from './ring.ts';

/** What all connections share. */
export interface Hub {
  readonly ring: FrameRing;
  readonly gate: Gate;
  readonly limits: FeedLimits;
  now(): number;
  /** Serialises a frame that is for one client and takes no number of its own. */
  frame<T extends FeedFrame['type']>(type: T, data: Extract<FeedFrame, { type: T }>['data']): string;
  snapshot(): string;
  hello(grant: Grant, token: string, expiresAt: number, resumed: boolean): string;
  /** The number to go on after, or undefined when only a snapshot helps. */
  resumeAt(epoch: string | undefined, seq: number | undefined): number | undefined;
  onSent(): void;
  onGap(): void;
  onClosing(reason: string): void;
}

/** Where a client wants to go on, and what it wants to hear; from the query of `/v1/feed`. */
export interface FeedRequest { epoch: string | undefined; seq: number | undefined; types: ReadonlySet<RingFrame['type']> | undefined }

/** A session is renewed on the open feed when less than this part of it is left. */
const RENEW_AT_PART = 0.25;

/**
 * One client of the feed: a cursor into the ring. Frames are sent while little waits in its socket; when it falls behind the ring it is
 * told of a gap. It holds no queue of its own.
 */
export class FeedConnection {
  readonly #hub: Hub;
  readonly #socket: WebSocket;
  #grant: Grant;
  #expiresAt: number;
  #types: ReadonlySet<RingFrame['type']> | undefined;
  #cursor: number;
  #snapshotDue = false;
  #stalled = false;
  #renewing = false;
  #pingedAt: number;
  #heardAt: number;
  #tokens: number;
  #tokensAt: number;

  constructor(hub: Hub, socket: WebSocket, opened: { grant: Grant; token: string; expiresAt: number }, request: FeedRequest) {
    this.#hub = hub;
    this.#socket = socket;
    this.#grant = opened.grant;
    this.#expiresAt = opened.expiresAt;
    this.#types = request.types;
    this.#heardAt = this.#pingedAt = this.#tokensAt = hub.now();
    this.#tokens = hub.limits.messagesPerSecond;
    const resumeAt = hub.resumeAt(request.epoch, request.seq);
    this.#cursor = resumeAt ?? hub.ring.last;
    this.#snapshotDue = resumeAt === undefined;
    socket.on('message', (data, isBinary) => this.#onMessage(data, isBinary));
    socket.on('ping', () => { if (this.#spend()) this.#heardAt = hub.now(); });
    socket.on('pong', () => { this.#heardAt = hub.now(); });
    this.#send(hub.hello(opened.grant, opened.token, opened.expiresAt, resumeAt !== undefined));
    this.pump();
  }

  get sessionId(): string {
    return this.#grant.sessionId;
  }

  /** Sends what this client has not seen, until all is sent or its socket is full; goes on by itself when the socket has drained. */
  pump(): void {
    const { ring, limits } = this.#hub;
    if (this.#stalled) return;
    while (this.#snapshotDue || this.#cursor < ring.last) {
      if (this.#socket.readyState !== this.#socket.OPEN) return;
      if (this.#socket.bufferedAmount > limits.bufferedBytes) {
        this.#stalled = true;
        return;
      }
      if (this.#snapshotDue) {
        this.#snapshotDue = false;
        this.#cursor = ring.last;
        this.#send(this.#hub.snapshot());
        continue;
      }
      const next = ring.at(this.#cursor + 1);
      if (next === undefined) {
        const gap = { from: this.#cursor + 1, to: ring.last };
        this.#cursor = ring.last;
        this.#hub.onGap();
        this.#send(this.#hub.frame('gap', gap));
        continue;
      }
      this.#cursor = next.seq;
      if (this.#types?.has(next.type) ?? true) this.#send(next.bytes);
    }
  }

  /** Pings, notices silence, renews or ends the session. Called every tick. */
  tick(now: number): void {
    const { limits } = this.#hub;
    if (now - this.#heardAt >= limits.silenceMs) return this.close(FEED_CLOSE.silence, 'silence');
    if (now >= this.#expiresAt) return this.close(FEED_CLOSE.ticket, 'session_expired');
    if (now - this.#pingedAt >= limits.pingMs && this.#socket.readyState === this.#socket.OPEN) {
      this.#pingedAt = now;
      this.#socket.ping();
    }
    const chainEnd = this.#grant.authenticatedAt + limits.chainMs;
    const due = this.#expiresAt - now < limits.sessionMs * RENEW_AT_PART && this.#expiresAt < Math.floor(chainEnd / 1_000) * 1_000;
    if (due && !this.#renewing) {
      this.#renewing = true;
      void this.#reissue(this.#grant).finally(() => { this.#renewing = false; });
    }
  }

  /** Closes with a code and a short reason; a peer that does not answer is cut off after two seconds. */
  close(code: number, reason: string): void {
    if (this.#socket.readyState !== this.#socket.OPEN) return;
    if (code !== FEED_CLOSE.restart) this.#hub.onClosing(reason);
    closeSocket(this.#socket, code, reason);
  }

  terminate(): void {
    this.#socket.terminate();
  }

  #onMessage(data: RawData, isBinary: boolean): void {
    this.#heardAt = this.#hub.now();
    if (!this.#spend()) return;
    const parsed = isBinary ? undefined : FeedCommand.safeParse(jsonOrUndefined(data));
    if (!parsed?.success) return this.#error('command_invalid', 'Unknown or malformed command. Send one JSON object with a known type.');
    this.#obey(parsed.data);
  }

  #obey(command: FeedCommand): void {
    switch (command.type) {
      case 'subscribe':
        this.#types = new Set(command.types);
        return;
      case 'sync': {
        const resumeAt = this.#hub.resumeAt(command.epoch, command.seq);
        this.#snapshotDue = resumeAt === undefined;
        this.#cursor = resumeAt ?? this.#cursor;
        return this.pump();
      }
      case 'ping':
        return this.#reply(this.#hub.frame('pong', command.id === undefined ? {} : { id: command.id }));
      case 'renew':
        this.#hub.gate.openTicket(command.ticket).then(
          (grant) => this.#reissue({ ...grant, sessionId: this.#grant.sessionId }),
          (error: unknown) => this.#error(error instanceof FeedRefusal ? error.code : 'internal', 'The ticket was refused; the session goes on until it ends.'),
        ).catch(() => this.close(1011, 'internal'));
    }
  }

  async #reissue(grant: Grant): Promise<void> {
    const { token, expiresAt } = await this.#hub.gate.issue(grant);
    this.#grant = grant;
    this.#expiresAt = expiresAt;
    this.#send(this.#hub.hello(grant, token, expiresAt, true));
  }

  #error(code: string, message: string): void {
    this.#reply(this.#hub.frame('error', { code, message }));
  }

  /** Answers to commands are dropped when the client does not read, or asking would fill memory. */
  #reply(text: string): void {
    if (this.#socket.bufferedAmount <= this.#hub.limits.bufferedBytes) this.#send(text);
  }

  #send(frame: string | Buffer): void {
    if (this.#socket.readyState !== this.#socket.OPEN) return;
    this.#hub.onSent();
    this.#socket.send(frame, { binary: false }, this.#onFlushed);
  }

  readonly #onFlushed = (): void => {
    if (!this.#stalled || this.#socket.bufferedAmount > this.#hub.limits.bufferedBytes / 2) return;
    this.#stalled = false;
    this.pump();
  };

  /** Takes one from the client's allowance of messages; closes when it is used up. */
  #spend(): boolean {
    const rate = this.#hub.limits.messagesPerSecond;
    const now = this.#hub.now();
    this.#tokens = Math.min(rate, this.#tokens + ((now - this.#tokensAt) / 1_000) * rate) - 1;
    this.#tokensAt = now;
    if (this.#tokens >= 0) return true;
    this.close(FEED_CLOSE.tooFast, 'too_fast');
    return false;
  }
}

/** Closes a socket; a peer that does not finish the handshake within two seconds is cut off. */
export function closeSocket(socket: WebSocket, code: number, reason: string): void {
  const cutOff = setTimeout(() => socket.terminate(), 2_000);
  socket.once('close', () => clearTimeout(cutOff));
  socket.close(code, reason);
}

function jsonOrUndefined(data: RawData): unknown {
  try {
    return JSON.parse((data as Buffer).toString('utf8')) as unknown;
  } catch {
    return undefined;
  }
}
