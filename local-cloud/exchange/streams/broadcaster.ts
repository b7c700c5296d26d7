import { boundaries, openChannel, type Channel, type ChannelContext } from './channels.ts';
import type { MarketClock } from '../market/clock.ts';

/** Whoever is subscribed: gets each frame of a stream as text, in order. */
export interface Subscriber { send(stream: string, frame: string): void }

interface Stream { channel: Channel | null; subscribers: Set<Subscriber>; dueAt: number }

/**
 * The one scheduler of all streams. Each tick first sends every candle that closed since the last tick, minute by minute, and then the
 * updates that are due; so a late tick loses no close and mixes no order.
 */
export class Broadcaster {
  readonly #clock: MarketClock;
  readonly #wall: () => number;
  readonly #context: ChannelContext;
  readonly #streams = new Map<string, Stream>();
  #processed: number;

  constructor(clock: MarketClock, wall: () => number, context: ChannelContext) {
    this.#clock = clock;
    this.#wall = wall;
    this.#context = context;
    this.#processed = clock.time();
  }

  /** True when the stream name has data. The first frame comes with a coming tick. */
  subscribe(stream: string, subscriber: Subscriber): boolean {
    // What closed until now belongs to those who listened until now.
    this.#sendCloses();
    let found = this.#streams.get(stream);
    if (!found) {
      found = { channel: openChannel(stream, this.#context, this.#processed), subscribers: new Set(), dueAt: 0 };
      this.#streams.set(stream, found);
    }
    found.subscribers.add(subscriber);
    return found.channel !== null;
  }

  unsubscribe(stream: string, subscriber: Subscriber): void {
    const found = this.#streams.get(stream);
    found?.subscribers.delete(subscriber);
    if (found?.subscribers.size === 0) this.#streams.delete(stream);
  }

  /** Brings every stream up to the market's time. Returns the market time it has reached. */
  tick(): number {
    const now = this.#sendCloses();
    const wall = this.#wall();
    for (const [name, stream] of this.#streams) {
      if (!stream.channel || wall < stream.dueAt) continue;
      stream.dueAt = wall + stream.channel.every;
      publish(name, stream, stream.channel.update(now));
    }
    return now;
  }

  #sendCloses(): number {
    const now = this.#clock.time();
    const from = this.#processed;
    this.#processed = now;
    for (const boundary of boundaries(from, now)) {
      for (const [name, stream] of this.#streams) publish(name, stream, stream.channel?.closeAt(boundary, now));
    }
    return now;
  }
}

function publish(name: string, { subscribers }: Stream, frame: string | null | undefined): void {
  if (frame == null) return;
  for (const subscriber of subscribers) subscriber.send(name, frame);
}
