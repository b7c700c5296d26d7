import { codeOf, redact, type NotificationChannel } from '@trademind/core';
import type { Log } from '../log.ts';
import { Nudge } from '../nudge.ts';
import { Backoff, pause, type Wall } from '../time.ts';
import { deliver, takesDigests } from './deliver.ts';
import { sentenceOfDelivery, type Delivery, type DeliveryContext } from './delivery.ts';
import type { MessageQueue, Waiting } from './message-queue.ts';

const IDLE_MS = 60_000;
const BACKOFF = { first: 2_000, most: 300_000 };
/** A channel that refuses everything is asked again so often, in case someone has mended it. */
const REFUSED_MS = 3_600_000;
const LONGEST_WAIT_MS = 3_600_000;
const DISK_MS = 5_000;
const NOT_KEPT = 'notification_not_kept';
/** Up to two messages go as they are; more become one. */
const DIGEST_FROM = 3;
const DIGEST_MOST = 20;

/** Ms between two requests, below what the receivers allow: Telegram 1 a second to a chat and 20 a minute to a group, Discord 30 a minute to a webhook, Slack 1 a second. */
export function paceOf(channel: NotificationChannel): number {
  if (channel.kind === 'telegram') return /^[-@]/.test(channel.chatId) ? 3_200 : 1_100;
  return { json: 200, discord: 2_100, slack: 1_100 }[channel.form];
}

export interface LaneOptions { channel: NotificationChannel; queue: MessageQueue; wall: Wall; log: Log; secrets: readonly string[]; context: Omit<DeliveryContext, 'signal'>; /** It is written down how some messages ended. */ onEnded: () => void }

/** One channel's way out: paced, one request at a time, in the order of the queue. A failure holds the channel, not the others. */
export class Lane {
  readonly channel: NotificationChannel;
  readonly #options: LaneOptions;
  readonly #ending = new AbortController();
  readonly #cut = new AbortController();
  readonly #nudge: Nudge;
  /** Cuts a back-off short. */
  readonly #mended: Nudge;
  readonly #backoff: Backoff;
  #problem: { code: string; message: string } | null = null;
  #sentAt = -Infinity;
  /** What went out and could not be written down yet: it must not go out again. */
  #unwritten: { ids: readonly string[]; outcome: 'sent' | 'refused'; problem: string | null; now: number; told: boolean } | undefined;
  #running: Promise<void> | undefined;

  constructor(options: LaneOptions) {
    this.channel = options.channel;
    this.#options = options;
    this.#nudge = new Nudge(this.#ending.signal, options.wall);
    this.#mended = new Nudge(this.#ending.signal, options.wall);
    this.#backoff = new Backoff({ ...BACKOFF, random: options.wall.random });
  }

  /** Why nothing goes out; null when all is well. */
  get problem(): { code: string; message: string } | null {
    return this.#problem;
  }

  start(): void {
    this.#running ??= this.#run();
  }

  /** Something was queued. */
  nudge(): void {
    this.#nudge.now();
  }

  /** The channel works again, as far as is known: it is tried at once. */
  mended(): void {
    this.#mended.now();
    this.#nudge.now();
  }

  /** Ends it; a request under way may still end within `graceMs`, then it is broken off. */
  async stop(graceMs: number): Promise<void> {
    this.#ending.abort();
    const callOff = this.#options.wall.after(graceMs, () => this.#cut.abort());
    await this.#running;
    callOff();
  }

  async #run(): Promise<void> {
    const { wall } = this.#options;
    const { signal } = this.#ending;
    while (!signal.aborted) {
      await pause(Math.max(0, this.#sentAt + paceOf(this.channel) - wall.now()), signal, wall);
      if (signal.aborted) return;
      try {
        this.#writeDown();
        const waiting = this.#options.queue.waiting(this.channel.id, DIGEST_MOST, wall.epoch());
        if (this.#problem?.code === NOT_KEPT) this.#problem = null;
        if (waiting.length === 0) await this.#nudge.wait(IDLE_MS);
        else await this.#send(waiting);
      } catch (error) {
        // The disk: whoever queues messages says so too.
        this.#problem = { code: NOT_KEPT, message: `The queue of messages cannot be written (${codeOf(error)}).` };
        await pause(DISK_MS, signal, wall);
      }
    }
  }

  /** Sends the first, or all as one, and waits as long as its outcome asks. */
  async #send(waiting: readonly Waiting[]): Promise<void> {
    const { queue, wall, context } = this.#options;
    const batch = takesDigests(this.channel) && waiting.length >= DIGEST_FROM ? waiting : waiting.slice(0, 1);
    const ids = batch.map(({ id }) => id);
    const missed = queue.missed(this.channel.id);
    const delivery = await deliver(this.channel, batch.map(({ event }) => event), missed, { ...context, signal: this.#cut.signal });
    this.#sentAt = wall.now();
    if (delivery.kind === 'sent') {
      this.#unwritten = { ids, outcome: 'sent', problem: null, now: wall.epoch(), told: missed > 0 };
      this.#well();
      this.#writeDown();
    } else if (delivery.kind === 'refused') {
      this.#say(delivery, 'A message is given up');
      this.#unwritten = { ids, outcome: 'refused', problem: delivery.code, now: wall.epoch(), told: false };
      this.#writeDown();
    } else {
      await this.#later(ids, delivery);
    }
  }

  async #later(ids: readonly string[], delivery: Exclude<Delivery, { kind: 'sent' }>): Promise<void> {
    if (this.#ending.signal.aborted) return;
    if (this.#problem?.code !== delivery.code) this.#say(delivery, 'Messages wait');
    this.#problem = { code: delivery.code, message: this.#plain(sentenceOfDelivery(delivery)) };
    this.#options.queue.attempted(this.channel.id, ids, delivery.code);
    await this.#mended.wait(delivery.kind === 'channel_refused' ? REFUSED_MS : Math.min(LONGEST_WAIT_MS, delivery.afterMs ?? this.#backoff.next()));
  }

  #writeDown(): void {
    if (this.#unwritten === undefined) return;
    const { ids, told, ...end } = this.#unwritten;
    if (told) this.#options.queue.toldMissed(this.channel.id);
    this.#options.queue.settle(this.channel.id, ids, end);
    this.#unwritten = undefined;
    this.#options.onEnded();
  }

  #well(): void {
    if (this.#problem !== null) this.#options.log('info', 'notification_delivered', `Messages reach ${this.channel.name} again.`);
    this.#problem = null;
    this.#backoff.reset();
  }

  #say(delivery: Exclude<Delivery, { kind: 'sent' }>, what: string): void {
    this.#options.log('warn', delivery.code, this.#plain(`${what} (${this.channel.name}): ${sentenceOfDelivery(delivery)}`));
  }

  #plain(text: string): string {
    return redact(text, this.#options.secrets);
  }
}
