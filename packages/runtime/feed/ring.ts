import type { FeedTopic } from '@trademind/core';

/** A frame as it goes out, serialised once for all clients. */
export interface RingFrame { seq: number; type: FeedTopic; bytes: Buffer; /** What it is about, where it is about one. */ symbol: string | undefined }

/**
 * The last frames, bounded by number and by bytes. Every client is a cursor into it, so that a slow one costs no memory and a returning
 * one gets exactly what it missed.
 */
export class FrameRing {
  readonly #slots: (RingFrame | undefined)[];
  readonly #maxBytes: number;
  #bytes = 0;
  /** Sequence number of the oldest frame kept; one more than `last` when empty. */
  #first = 1;
  #last = 0;

  constructor(maxFrames: number, maxBytes: number) {
    this.#slots = Array.from<RingFrame | undefined>({ length: maxFrames });
    this.#maxBytes = maxBytes;
  }

  get last(): number {
    return this.#last;
  }

  push(type: FeedTopic, bytes: Buffer, symbol?: string): RingFrame {
    const capacity = this.#slots.length;
    if (this.#last - this.#first + 1 === capacity) this.#dropFirst();
    this.#last += 1;
    const frame = { seq: this.#last, type, bytes, symbol };
    this.#slots[this.#last % capacity] = frame;
    this.#bytes += bytes.length;
    // The newest frame stays whatever its size.
    while (this.#bytes > this.#maxBytes && this.#first < this.#last) this.#dropFirst();
    return frame;
  }

  /** True when every frame after `seq` is still here. */
  reaches(seq: number): boolean {
    return seq >= this.#first - 1 && seq <= this.#last;
  }

  /** True when more than half of the ring is filled and `seq` lies in the older half of that: whoever stands there should move on. */
  isOld(seq: number): boolean {
    const count = this.#last - this.#first + 1;
    const isHalfFull = count * 2 > this.#slots.length || this.#bytes * 2 > this.#maxBytes;
    return isHalfFull && (seq - this.#first) * 2 < count;
  }

  at(seq: number): RingFrame | undefined {
    return seq >= this.#first && seq <= this.#last ? this.#slots[seq % this.#slots.length] : undefined;
  }

  #dropFirst(): void {
    const slot = this.#first % this.#slots.length;
    this.#bytes -= this.#slots[slot]?.bytes.length ?? 0;
    this.#slots[slot] = undefined;
    this.#first += 1;
  }
}
