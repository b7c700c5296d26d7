import { FEED_CLOSE, FeedCommand, firstIssue, TradeMindError, type FeedSubscription, type MachineCommand } from '@trademind/core';
import type { z } from 'zod/mini';
import type { RawData, WebSocket } from 'ws';
import { Allowance } from './allowance.ts';
import type { Grant } from './gate.ts';
import type { Hub } from './hub.ts';
import { symbolsKey } from './lane-set.ts';
import type { Lane, Told } from './lane.ts';
import { FeedRefusal } from './refusal.ts';

/** Where a client wants to go on, and what it wants to hear; from the query of `/v1/feed`. */
export interface FeedRequest { epoch: string | undefined; seq: number | undefined; wishes: FeedSubscription; /** Counts a client's connections: an older one that arrives late replaces no newer one. */ attempt: number }

/** A session is renewed on the open feed when less than this part of it is left. */
const RENEW_AT_PART = 0.25;
/** What makes the machine work counts as so many messages more. */
const WORK_COST = 3;
/** Commands of one client that may be under way at once. */
const COMMANDS_AT_ONCE = 4;

/**
 * One client of the feed: a cursor into the ring. Frames are sent while little waits in its socket; when it falls behind the ring it is
 * told of a gap. It holds no queue of its own.
 */
export class FeedConnection {
  readonly attempt: number;
  readonly #hub: Hub;
  readonly #socket: WebSocket;
  readonly #allowance: Allowance;
  readonly #told: Told = { status: 0, metrics: 0 };
  #grant: Grant;
  #expiresAt: number;
  #wishes: FeedSubscription;
  #lane: Lane;
  #leaveLane: () => void;
  #cursor: number;
  #snapshotDue: boolean;
  #stalled = false;
  #renewing = false;
  #commands = 0;
  #pingedAt: number;
  #heardAt: number;

  constructor(hub: Hub, socket: WebSocket, opened: { grant: Grant; token: string; expiresAt: number }, request: FeedRequest) {
    this.#hub = hub;
    this.#socket = socket;
    this.attempt = request.attempt;
    this.#grant = opened.grant;
    this.#expiresAt = opened.expiresAt;
    this.#wishes = request.wishes;
    this.#heardAt = this.#pingedAt = hub.now();
    this.#allowance = new Allowance(hub.limits.messagesPerSecond, hub.now());
    const resumeAt = hub.resumeAt(request.epoch, request.seq);
    this.#cursor = resumeAt ?? hub.ring.last;
    this.#snapshotDue = resumeAt === undefined;
    ({ lane: this.#lane, leave: this.#leaveLane } = hub.lanes.join(this, request.wishes));
    socket.on('message', (data, isBinary) => this.#onMessage(data, isBinary));
    for (const sign of ['ping', 'pong'] as const) socket.on(sign, () => { if (this.#spend(1)) this.#heardAt = hub.now(); });
    socket.on('close', () => this.#leaveLane());
    this.#send(hub.hello(opened.grant, opened.token, opened.expiresAt, resumeAt !== undefined));
    this.pump();
  }

  get sessionId(): string {
    return this.#grant.sessionId;
  }

  /** What waits in its socket, in bytes. */
  get bufferedBytes(): number {
    return this.#socket.bufferedAmount;
  }

  /** Sends what this client has not seen, until all is sent or its socket is full; goes on by itself when the socket has drained. */
  pump(): void {
    const { ring } = this.#hub;
    if (this.#stalled) return;
    while (this.#snapshotDue || this.#cursor < ring.last) {
      if (this.#socket.readyState !== this.#socket.OPEN) return;
      if (this.#socket.bufferedAmount > this.#hub.bufferedBytes()) {
        this.#stalled = true;
        return;
      }
      if (this.#snapshotDue) {
        this.#snapshotDue = false;
        this.#cursor = ring.last;
        this.#send(this.#hub.snapshot(this.#wishes.symbols));
        continue;
      }
      if (!ring.reaches(this.#cursor)) {
        const gap = { from: this.#cursor + 1, to: ring.last };
        this.#cursor = ring.last;
        this.#hub.onGap();
        this.#send(this.#hub.frame('gap', gap));
        continue;
      }
      const next = this.#lane.next(this.#cursor, this.#told);
      this.#cursor = next?.seq ?? ring.last;
      if (next) this.#send(next.bytes);
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
      this.#reissue(this.#grant).catch((error: unknown) => this.#hub.onFailure(error)).finally(() => { this.#renewing = false; });
    }
  }

  /** Closes with a code and a short reason; a peer that does not answer is cut off after two seconds. */
  close(code: number, reason: string): void {
    if (this.#socket.readyState !== this.#socket.OPEN) return;
    if (code !== FEED_CLOSE.restart) this.#hub.onRefused(reason);
    closeSocket(this.#socket, code, reason);
  }

  #onMessage(data: RawData, isBinary: boolean): void {
    // What a client still says while it is being shown out costs nothing more.
    if (this.#socket.readyState !== this.#socket.OPEN || !this.#spend(1)) return;
    this.#heardAt = this.#hub.now();
    const said = isBinary ? undefined : jsonOrUndefined(data);
    const parsed = FeedCommand.safeParse(said);
    if (!parsed.success) return this.#refuse(malformed(parsed.error), namedIn(said));
    if (parsed.data.type === 'ping' || this.#spend(WORK_COST)) this.#obey(parsed.data);
  }

  #obey(command: FeedCommand): void {
    switch (command.type) {
      case 'subscribe': {
        const { type: _, id: __, ...wishes } = command;
        return this.#listenTo(wishes);
      }
      case 'sync': {
        const resumeAt = this.#hub.resumeAt(command.epoch, command.seq);
        this.#snapshotDue = resumeAt === undefined;
        this.#cursor = resumeAt ?? this.#cursor;
        this.#told.status = this.#told.metrics = 0;
        return this.pump();
      }
      case 'ping':
        return this.#reply(this.#hub.frame('pong', command.id === undefined ? {} : { id: command.id }, this.#cursor));
      case 'renew':
        this.#hub.gate.openTicket(command.ticket)
          .then((grant) => this.#reissue({ ...grant, sessionId: this.#grant.sessionId }))
          .catch((error: unknown) => this.#refuse(error, command));
        return;
      default:
        void this.#perform(command);
    }
  }

  /** Another choice of symbols begins with a snapshot: the client has nothing of the new ones. */
  #listenTo(wishes: FeedSubscription): void {
    this.#snapshotDue ||= symbolsKey(wishes.symbols) !== symbolsKey(this.#wishes.symbols);
    this.#wishes = wishes;
    this.#leaveLane();
    ({ lane: this.#lane, leave: this.#leaveLane } = this.#hub.lanes.join(this, wishes));
    this.pump();
  }

  async #perform(command: MachineCommand): Promise<void> {
    if (this.#commands >= COMMANDS_AT_ONCE) {
      return this.#refuse(new TradeMindError({ code: 'too_many_commands', message: `${COMMANDS_AT_ONCE} commands are under way.`, nextStep: 'Wait for an answer, then ask again.' }), command);
    }
    this.#commands += 1;
    try {
      const result = await this.#hub.perform(command, this.#grant);
      this.#reply(this.#hub.frame('reply', { ...answered(command), command: command.type, result }));
    } catch (error) {
      this.#refuse(error, command);
    } finally {
      this.#commands -= 1;
    }
  }

  async #reissue(grant: Grant): Promise<void> {
    const { token, expiresAt } = await this.#hub.gate.issue(grant);
    this.#grant = grant;
    this.#expiresAt = expiresAt;
    this.#send(this.#hub.hello(grant, token, expiresAt, true));
  }

  /** What is not meant for users is told as `internal`, without its words. */
  #refuse(error: unknown, command?: { id?: string | undefined; type?: string | undefined }): void {
    const known = error instanceof TradeMindError;
    if (!known) this.#hub.onFailure(error);
    else if (error instanceof FeedRefusal) this.#hub.onRefused(error.code);
    this.#reply(this.#hub.frame('error', {
      code: known ? error.code : 'internal', message: known ? error.message : 'The machine could not do it.',
      ...(command && { ...answered(command), ...(command.type === undefined ? {} : { command: command.type }) }), ...(known && error.field ? { field: error.field } : {}), ...(known && error.nextStep ? { nextStep: error.nextStep } : {}),
    }));
  }

  /** Answers to commands are dropped when the client does not read, or asking would fill memory. */
  #reply(text: string): void {
    if (this.#socket.bufferedAmount <= this.#hub.bufferedBytes()) this.#send(text);
  }

  #send(frame: string | Buffer): void {
    if (this.#socket.readyState !== this.#socket.OPEN) return;
    this.#hub.onSent();
    this.#socket.send(frame, { binary: false }, this.#onFlushed);
  }

  readonly #onFlushed = (): void => {
    if (!this.#stalled || this.#socket.bufferedAmount > this.#hub.bufferedBytes() / 2) return;
    this.#stalled = false;
    this.pump();
  };

  /** Takes from the client's allowance of messages; closes when it is used up. */
  #spend(cost: number): boolean {
    if (this.#allowance.take(this.#hub.now(), cost)) return true;
    this.close(FEED_CLOSE.tooFast, 'too_fast');
    return false;
  }
}

const answered = ({ id }: { id?: string | undefined }): { id?: string } => (id === undefined ? {} : { id });

/** As much of a malformed command as its answer has to name. */
function namedIn(said: unknown): { id?: string | undefined; type?: string | undefined } {
  const { id, type } = (typeof said === 'object' && said !== null ? said : {}) as { id?: unknown; type?: unknown };
  return { id: typeof id === 'string' && id.length <= 100 ? id : undefined, type: typeof type === 'string' ? type.slice(0, 40) : undefined };
}

function malformed(error: z.core.$ZodError): TradeMindError {
  const { path, detail } = firstIssue(error);
  const field = path.join('.');
  return new TradeMindError({ code: 'command_invalid', message: `Unknown or malformed command${field ? ` at ${field.slice(0, 100)}: ${detail.slice(0, 200)}` : ''}.`, field: field.slice(0, 100) || undefined, nextStep: 'Send one JSON object with a known type.' });
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
