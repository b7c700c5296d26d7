import { hash } from '../market/random.ts';
import { MINUTE, SECOND } from '../market/intervals.ts';
import { openChannel } from './channels.ts';
import { Frame } from './frame.ts';
import { boundaries } from './kline-channels.ts';
import type { Channel, ChannelContext } from './channel.ts';

/** Whoever is subscribed: gets each frame of a stream, in order. */
export interface Subscriber { send(frame: Frame): void }

interface Stream { channel: Channel | null; subscribers: Set<Subscriber>; dueMarket: number; dueWall: number; phase: number }

/**
 * The one scheduler of all streams. Each tick first sends every candle that closed since the last tick, minute by minute, and then the
 * updates that are due; so a late tick loses no close and mixes no order. A stream that nobody wants is not computed.
 */
export class Broadcaster {
  readonly #wall: () => number;
  readonly #context: ChannelContext;
  readonly #streams = new Map<string, Stream>();
  /** Those among them whose seconds close too. */
  readonly #bySecond = new Map<string, Stream>();
  #processed: number;

  constructor(wall: () => number, context: ChannelContext) {
    this.#wall = wall;
    this.#context = context;
    this.#processed = context.clock.time();
  }

  /** True when the stream name has data. The first frame comes with a coming tick. */
  subscribe(stream: string, subscriber: Subscriber): boolean {
    // What closed until now belongs to those who listened until now.
    this.#sendCloses();
    let found = this.#streams.get(stream);
    if (!found) {
      found = { channel: openChannel(stream, this.#context, this.#processed), subscribers: new Set(), dueMarket: 0, dueWall: 0, phase: (hash(stream) % 1_000) / 1_000 };
      this.#streams.set(stream, found);
      if (found.channel?.bySecond) this.#bySecond.set(stream, found);
    }
    found.subscribers.add(subscriber);
    return found.channel !== null;
  }

  unsubscribe(stream: string, subscriber: Subscriber): void {
    const found = this.#streams.get(stream);
    found?.subscribers.delete(subscriber);
    if (found?.subscribers.size !== 0) return;
    this.#streams.delete(stream);
    this.#bySecond.delete(stream);
  }

  /** Brings every stream up to the market's time. Returns the market time it has reached. */
  tick(): number {
    const now = this.#sendCloses();
    const wall = this.#wall();
    // A market that is stepped by hand moves in leaps of its own: there the wall holds nothing back.
    const stepped = this.#context.clock.speed === 0;
    for (const [name, stream] of this.#streams) {
      const { channel } = stream;
      if (!channel || now < stream.dueMarket || (wall < stream.dueWall && !stepped)) continue;
      // The first pause is cut short by a share of its own, so that streams which were opened together do not fall due together.
      const pause = stream.dueMarket === 0 ? 1 - stream.phase : 1;
      stream.dueMarket = now + channel.everyMarket * pause;
      stream.dueWall = wall + channel.everyWall * pause;
      publish(name, stream.subscribers, channel.update(now));
    }
    return now;
  }

  /** Sends what has closed since the last look, and no updates. */
  close(): void {
    this.#sendCloses();
  }

  /** Sends one more frame to those who listen to the stream. */
  say(stream: string, payload: string): void {
    const found = this.#streams.get(stream);
    if (found) publish(stream, found.subscribers, [payload]);
  }

  #sendCloses(): number {
    const now = this.#context.clock.time();
    const from = this.#processed;
    this.#processed = now;
    for (const boundary of boundaries(from, now, this.#bySecond.size > 0 ? SECOND : MINUTE)) {
      const closing = boundary % MINUTE === 0 ? this.#streams : this.#bySecond;
      for (const [name, { channel, subscribers }] of closing) if (channel?.leadTo) publish(name, subscribers, channel.leadTo(boundary, now));
      for (const [name, { channel, subscribers }] of closing) if (channel?.closeAt) publish(name, subscribers, channel.closeAt(boundary, now));
    }
    return now;
  }
}

function publish(name: string, subscribers: ReadonlySet<Subscriber>, payloads: readonly string[]): void {
  for (const payload of payloads) {
    const frame = new Frame(name, payload);
    for (const subscriber of subscribers) subscriber.send(frame);
  }
}
