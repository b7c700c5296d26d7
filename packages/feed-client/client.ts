import { FEED_CLOSE, FEED_PROTOCOL, FeedFrame, TICKET_PROTOCOL_PREFIX, TradeMindError, sentenceOf, type FeedSubscription, type LogEntry, type MachineCommand, type MachineStatus, type MarketRow, type Signal } from '@trademind/core';
import { feedAddress } from './address.ts';
import { backoffMs } from './backoff.ts';
import { FEED_TIMING, type FeedClientOptions, type FeedTicket, type FeedTiming } from './options.ts';
import { PendingCommands } from './pending-commands.ts';
import { probeMachine } from './probe.ts';
import { readAnswer } from './rest.ts';
import { applyFrame, emptyView, type FeedState, type FeedView } from './store.ts';

/** After so many tries with a session that never came to life a new ticket is asked for: it knows where the machine is now. */
const TRIES_WITH_SESSION = 3;
/** Close codes after which another try cannot help. */
const FINAL_CODES: ReadonlySet<number> = new Set([FEED_CLOSE.scope, FEED_CLOSE.superseded]);

type WithoutId<T> = T extends unknown ? Omit<T, 'id'> : never;
/** What a machine can be asked to do. */
export type Command = WithoutId<MachineCommand>;

/** How a connection ended; `liveMs` is null when it never came to life. */
interface Ending { code: number; reason: string; liveMs: number | null }

/** A client of one machine's feed. Nothing happens until `connect()`. */
export function createFeedClient(options: FeedClientOptions): CloudWebSocketClient {
  return new CloudWebSocketClient(options);
}

/**
 * Follows one machine: waits until it answers, connects with a ticket, comes back by itself with its session after any loss and resumes
 * where it was, for as long as it takes, until `close()`.
 */
export class CloudWebSocketClient {
  readonly #options: FeedClientOptions;
  readonly #timing: FeedTiming;
  readonly #now: () => number;
  readonly #random: () => number;
  readonly #closing = new AbortController();
  readonly #listeners = new Set<() => void>();
  readonly #commands = new PendingCommands();
  #view: FeedView = emptyView();
  #wishes: FeedSubscription;
  #attempts = 0;
  #running: Promise<void> | undefined;
  #socket: WebSocket | undefined;
  #wake: (() => void) | undefined;
  #ticket: (FeedTicket & { takenAt: number }) | undefined;
  #session: { token: string; expiresAt: number } | undefined;
  #position: { epoch: string; seq: number } | undefined;
  #heardAt = 0;
  #renewedAt = Number.NEGATIVE_INFINITY;

  constructor(options: FeedClientOptions) {
    this.#options = options;
    this.#timing = { ...FEED_TIMING, ...options.timing };
    this.#now = options.now ?? Date.now;
    this.#random = options.random ?? Math.random;
    this.#wishes = options.wishes ?? {};
  }

  /** All that is known; a new object at every change, so it may be compared by identity. */
  get view(): FeedView { return this.#view; }
  get state(): FeedState { return this.#view.state; }
  get status(): MachineStatus | null { return this.#view.status; }
  get markets(): ReadonlyMap<string, MarketRow> { return this.#view.markets; }
  /** Newest first, each id once. */
  get signals(): readonly Signal[] { return this.#view.signals; }
  get log(): readonly LogEntry[] { return this.#view.log; }

  /** Starts following; a second call changes nothing. */
  connect(): void {
    this.#running ??= this.#run();
  }

  /** Ends for good: no reconnect follows. Resolves when the socket is closed (or after a second without an answer). */
  async close(reason = 'closed'): Promise<void> {
    if (this.#closing.signal.aborted) return this.#running;
    this.#closing.abort();
    this.#setState({ phase: 'closed', reason });
    this.#socket?.close(1000, 'bye');
    await this.#running;
  }

  /** Calls the listener after every change of the view; the answer ends it. */
  subscribe(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Ends a wait at once, e.g. when the browser is online again. */
  retryNow(): void {
    this.#wake?.();
  }

  /** Listens to this from now on, also after a reconnect. */
  listenTo(wishes: FeedSubscription): void {
    this.#wishes = wishes;
    this.#send({ type: 'subscribe', ...wishes });
  }

  /**
   * Has the machine do something and answers its result. Rejects with a TradeMindError: the machine's own code (`scope_missing`,
   * `command_unavailable` …), `feed_not_live`, or `outcome_unknown` when no answer came.
   */
  async command(command: Command): Promise<unknown> {
    if (this.state.phase !== 'live') throw notLive();
    return this.#commands.add(this.#timing.answerMs, (id) => this.#send({ ...command, id }));
  }

  /** GET of the machine's REST API, e.g. `/v1/candles?symbol=BTCUSDT&interval=5m`. Throws TradeMindError with the problem's code. */
  async request(path: string): Promise<unknown> {
    if (!this.#session || !this.#ticket) throw notLive();
    const call = this.#options.fetch ?? fetch;
    const answer = await call(`${this.#ticket.url}${path}`, { headers: { authorization: `Bearer ${this.#session.token}` }, signal: this.#closing.signal });
    return readAnswer(answer);
  }

  async #run(): Promise<void> {
    /** In a row: connections that did not hold, and those of them that never came to life. */
    let failures = 0;
    let stillborn = 0;
    let lostAt: number | undefined;
    while (!this.#closing.signal.aborted) {
      const token = this.#session && stillborn < TRIES_WITH_SESSION ? this.#session.token : await this.#openTicket(lostAt);
      if (token === undefined) return;
      const ending = await this.#follow(token);
      if (this.#closing.signal.aborted) return;
      if (FINAL_CODES.has(ending.code)) {
        this.#closing.abort();
        this.#setState({ phase: 'closed', reason: ending.reason });
        return;
      }
      if (ending.code === FEED_CLOSE.ticket) this.#session = undefined;
      if (ending.liveMs !== null) lostAt = undefined;
      stillborn = ending.liveMs === null ? stillborn + 1 : 0;
      failures = (ending.liveMs ?? 0) >= this.#timing.stableMs ? 1 : failures + 1;
      lostAt ??= this.#now();
      this.#setState({ phase: 'reconnecting', since: lostAt, attempt: failures, reason: ending.reason || `closed with ${ending.code}` });
      await this.#pause(backoffMs(failures - 1, this.#timing, this.#random));
    }
  }

  /**
   * Waits until the control plane has seen the machine, gives a ticket, and the machine answers. A session that still lasts is tried again
   * whenever that fails: a control plane that is away must part nobody from a machine that came back. undefined when closed meanwhile.
   */
  async #openTicket(lostAt: number | undefined): Promise<string | undefined> {
    const { signal } = this.#closing;
    const since = lostAt ?? this.#now();
    let fresh = false;
    let reason: string | null = null;
    for (let attempt = 0; !signal.aborted; attempt += 1) {
      this.#setState(lostAt === undefined ? { phase: 'waiting-for-machine', since, attempt, reason } : { phase: 'reconnecting', since, attempt, reason: reason ?? 'asking for a ticket' });
      try {
        const seen = await this.#options.seeMachine?.();
        if (seen?.reachable === false) throw new TradeMindError({ code: 'machine_not_reachable', message: seen.detail ?? 'The machine does not run yet.' });
        if (!fresh || !this.#ticket || this.#now() - this.#ticket.takenAt > this.#timing.ticketMs) {
          const ticket = await this.#options.getTicket();
          if (!URL.canParse(ticket.feed)) throw new TradeMindError({ code: 'ticket_invalid', message: 'The ticket names no feed.' });
          this.#ticket = { ...ticket, takenAt: this.#now() };
          fresh = true;
        }
        const { missing } = await probeMachine(this.#options.fetch ?? fetch, this.#ticket.url, this.#timing.probeTimeoutMs, signal);
        if (signal.aborted) break;
        if (lostAt === undefined) this.#setState({ phase: 'connecting', since: this.#now(), missing });
        return this.#ticket.ticket;
      } catch (error) {
        reason = sentenceOf(error);
        if (this.#session && this.#session.expiresAt > this.#now()) return this.#session.token;
        if (!signal.aborted) await this.#pause(backoffMs(attempt, this.#timing, this.#random));
      }
    }
    return undefined;
  }

  /** One connection from its opening to its end. */
  async #follow(token: string): Promise<Ending> {
    const Socket = this.#options.WebSocket ?? WebSocket;
    const address = feedAddress(this.#ticket?.feed ?? 'ws://unknown.invalid', { ...this.#position, ...this.#wishes, attempt: this.#attempts += 1 });
    let socket: WebSocket;
    try {
      socket = new Socket(address, [FEED_PROTOCOL, `${TICKET_PROTOCOL_PREFIX}${token}`]);
    } catch (error) {
      return { code: 1006, reason: sentenceOf(error), liveMs: null };
    }
    this.#socket = socket;
    this.#heardAt = this.#now();
    let liveAt: number | undefined;
    const { promise, resolve } = Promise.withResolvers<Ending>();
    const end = (code: number, reason: string): void => resolve({ code, reason, liveMs: liveAt === undefined ? null : this.#now() - liveAt });
    socket.addEventListener('message', (event: MessageEvent) => {
      if (this.#closing.signal.aborted || this.#socket !== socket) return;
      const frame = this.#take(event.data);
      if (!frame || liveAt !== undefined || !(frame.type === 'snapshot' || (frame.type === 'hello' && frame.data.resumed))) return;
      liveAt = this.#now();
      this.#setState({ phase: 'live', since: liveAt });
    });
    socket.addEventListener('close', (event: CloseEvent) => end(event.code, event.reason));
    socket.addEventListener('error', () => {}); // 'close' follows and says it
    const watch = setInterval(() => this.#watch(socket, end), Math.min(1_000, this.#timing.pingMs / 2));
    const cutOff = (): unknown => setTimeout(() => end(1000, 'closed'), 1_000);
    this.#closing.signal.addEventListener('abort', cutOff, { once: true });
    try {
      return await promise;
    } finally {
      clearInterval(watch);
      this.#closing.signal.removeEventListener('abort', cutOff);
      this.#socket = undefined;
      this.#commands.onLost();
    }
  }

  /** Applies a message; the frame when it was new and well formed. */
  #take(data: unknown): FeedFrame | undefined {
    this.#heardAt = this.#now();
    const parsed = FeedFrame.safeParse(jsonOrUndefined(data));
    if (!parsed.success) {
      this.#show({ ...this.#view, malformed: this.#view.malformed + 1 });
      return undefined;
    }
    const frame = parsed.data;
    if (frame.type === 'hello') this.#session = { token: frame.data.session, expiresAt: frame.data.expiresAt };
    if (frame.type === 'gap') this.#send({ type: 'sync' });
    if (frame.type === 'reply' || frame.type === 'error') this.#commands.onAnswer(frame);
    // Who listens to little would otherwise ask, after a long while, for what the machine no longer has.
    if (frame.type === 'pong' && this.#position?.epoch === frame.epoch) this.#position = { epoch: frame.epoch, seq: Math.max(this.#position.seq, frame.seq) };
    if (frame.type === 'snapshot') this.#position = { epoch: frame.epoch, seq: frame.seq };
    if (frame.type === 'status' || frame.type === 'metrics' || frame.type === 'signal' || frame.type === 'analysis' || frame.type === 'log') {
      // What came before the snapshot, or came already, is no news.
      if (!this.#position || frame.epoch !== this.#position.epoch || frame.seq <= this.#position.seq) return undefined;
      this.#position = { epoch: frame.epoch, seq: frame.seq };
    }
    this.#show(applyFrame(this.#view, frame));
    this.#options.onFrame?.(frame);
    return frame;
  }

  /** Pings a silent line, gives up a dead one, renews a session that its machine may not prolong any more. */
  #watch(socket: WebSocket, end: (code: number, reason: string) => void): void {
    const now = this.#now();
    const silence = now - this.#heardAt;
    if (silence >= this.#timing.silenceMs) {
      socket.close(FEED_CLOSE.silence, 'silence');
      end(FEED_CLOSE.silence, 'silence');
      return;
    }
    if (silence >= this.#timing.pingMs) this.#send({ type: 'ping' });
    if (this.#session && this.#session.expiresAt - now < this.#timing.renewMs && now - this.#renewedAt >= this.#timing.renewMs / 2) {
      this.#renewedAt = now;
      // A control plane that is away now is asked again at the next look; the session still lasts.
      this.#options.getTicket().then(({ ticket }) => this.#send({ type: 'renew', ticket }), () => {});
    }
  }

  #send(command: unknown): void {
    if (this.#socket?.readyState === 1) this.#socket.send(JSON.stringify(command));
  }

  #pause(ms: number): Promise<void> {
    return new Promise((resolve) => {
      const done = (): void => {
        clearTimeout(timer);
        this.#closing.signal.removeEventListener('abort', done);
        this.#wake = undefined;
        resolve();
      };
      const timer = setTimeout(done, ms);
      this.#wake = done;
      this.#closing.signal.addEventListener('abort', done);
    });
  }

  #setState(state: FeedState): void {
    this.#show({ ...this.#view, state });
    this.#options.onState?.(state);
  }

  #show(view: FeedView): void {
    if (view === this.#view) return;
    this.#view = view;
    for (const listener of this.#listeners) listener();
  }
}

const notLive = (): TradeMindError => new TradeMindError({ code: 'feed_not_live', message: 'The machine is not connected.', nextStep: 'Ask again once it is live.' });

function jsonOrUndefined(data: unknown): unknown {
  try {
    return typeof data === 'string' ? (JSON.parse(data) as unknown) : undefined;
  } catch {
    return undefined;
  }
}
