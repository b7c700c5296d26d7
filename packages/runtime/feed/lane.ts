import type { FeedFrame, FeedSubscription, FeedTopic, MarketRow } from '@trademind/core';
import type { FrameRing, RingFrame } from './ring.ts';

/** A frame that a client is to get. Its number may be that of an older frame whose news it brings as well. */
export interface Heard { seq: number; bytes: Buffer }
/** Up to which number the newest status and rows have gone out already. One for each client. */
export interface Told { status: number; metrics: number }

type DataOf<T extends FeedTopic> = Extract<FeedFrame, { type: T }>['data'];
/** A client on a lane. */
export interface Listener { pump(): void }

/**
 * All clients that want to hear the same: what they hear is made once for all of them.
 *
 * A client's position is the number of its last frame, and after a loss it must get all that came later. So where updates are held back, the
 * first of them that is sent brings the newest of its kind, under its own older number: whatever the client has got when its line breaks,
 * what it asks for afterwards repeats some rows (they replace themselves) and leaves out none.
 */
export class Lane {
  readonly #ring: FrameRing;
  readonly #epoch: string;
  readonly #types: ReadonlySet<FeedTopic> | undefined;
  readonly #symbols: ReadonlySet<string> | undefined;
  readonly #everyMs: number;
  readonly #listeners = new Set<Listener>();
  /** What was made last of each kind, for the next client. */
  readonly #made = new Map<FeedTopic, { from: number; to: number; bytes: Buffer | undefined }>();
  #timer: NodeJS.Timeout | undefined;
  #held = false;
  #pumpedTo = 0;

  constructor(ring: FrameRing, epoch: string, { types, symbols, everyMs = 0 }: FeedSubscription) {
    this.#ring = ring;
    this.#epoch = epoch;
    this.#types = types && new Set(types);
    this.#symbols = symbols && new Set(symbols);
    this.#everyMs = everyMs;
  }

  get size(): number {
    return this.#listeners.size;
  }

  add(listener: Listener): void {
    this.#listeners.add(listener);
  }

  remove(listener: Listener): void {
    this.#listeners.delete(listener);
    if (this.#listeners.size === 0) clearTimeout(this.#timer);
  }

  /** A frame is there. It is passed on at once, unless it is an update that the clients do not want so soon. */
  onPushed(frame: RingFrame): void {
    const wanted = this.#wants(frame);
    if (this.#everyMs === 0 || (wanted && !isUpdate(frame.type)) || this.#ring.isOld(this.#pumpedTo)) return this.#pump();
    if (!wanted) return;
    if (this.#timer) {
      this.#held = true;
    } else {
      this.#pump();
      this.#wait();
    }
  }

  /** The next frame after `cursor` that the clients want; undefined when there is none yet. */
  next(cursor: number, told: Told): Heard | undefined {
    const { last } = this.#ring;
    for (let seq = cursor + 1; seq <= last; seq += 1) {
      const frame = this.#ring.at(seq);
      if (!frame || !this.#wants(frame)) continue;
      const bytes = isUpdate(frame.type) ? this.#update(frame.type, frame, told) : frame.bytes;
      if (bytes) return { seq, bytes };
    }
    return undefined;
  }

  #wants({ type, symbol }: RingFrame): boolean {
    return (this.#types?.has(type) ?? true) && (symbol === undefined || (this.#symbols?.has(symbol) ?? true));
  }

  #update(type: 'status' | 'metrics', frame: RingFrame, told: Told): Buffer | undefined {
    if (this.#everyMs === 0) return type === 'metrics' && this.#symbols ? this.#once(type, frame.seq, frame.seq) : frame.bytes;
    if (frame.seq <= told[type]) return undefined;
    told[type] = this.#ring.last;
    return this.#once(type, frame.seq, this.#ring.last);
  }

  #once(type: 'status' | 'metrics', from: number, to: number): Buffer | undefined {
    let made = this.#made.get(type);
    if (made?.from !== from || made.to !== to) {
      made = { from, to, bytes: type === 'status' ? this.#newestStatus(from, to) : this.#newestRows(from, to) };
      this.#made.set(type, made);
    }
    return made.bytes;
  }

  #newestStatus(from: number, to: number): Buffer {
    let newest = from;
    for (let seq = from; seq <= to; seq += 1) if (this.#ring.at(seq)?.type === 'status') newest = seq;
    const { bytes } = this.#ring.at(newest)!;
    return newest === from ? bytes : this.#serialise('status', from, dataOf<'status'>(bytes));
  }

  #newestRows(from: number, to: number): Buffer | undefined {
    const rows = new Map<string, MarketRow>();
    let marketTime = 0;
    for (let seq = from; seq <= to; seq += 1) {
      const frame = this.#ring.at(seq);
      if (frame?.type !== 'metrics') continue;
      const data = dataOf<'metrics'>(frame.bytes);
      marketTime = data.marketTime;
      for (const row of data.markets) if (this.#symbols?.has(row.symbol) ?? true) rows.set(row.symbol, row);
    }
    return rows.size === 0 ? undefined : this.#serialise('metrics', from, { marketTime, markets: [...rows.values()] });
  }

  #serialise<T extends FeedTopic>(type: T, seq: number, data: DataOf<T>): Buffer {
    return Buffer.from(JSON.stringify({ v: 1, epoch: this.#epoch, seq, type, data }));
  }

  #pump(): void {
    this.#held = false;
    this.#pumpedTo = this.#ring.last;
    for (const listener of this.#listeners) listener.pump();
  }

  #wait(): void {
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      if (!this.#held) return;
      this.#pump();
      this.#wait();
    }, this.#everyMs);
  }
}

/** Of these a newer one replaces an older one. */
function isUpdate(type: FeedTopic): type is 'status' | 'metrics' {
  return type === 'status' || type === 'metrics';
}

function dataOf<T extends FeedTopic>(bytes: Buffer): DataOf<T> {
  return (JSON.parse(bytes.toString('utf8')) as { data: DataOf<T> }).data;
}
