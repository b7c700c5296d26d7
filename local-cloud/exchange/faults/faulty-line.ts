import { textFrame, type Frame } from '../streams/frame.ts';
import type { FrameOrder } from './kinds.ts';

/** A frame that is held back for a reorder waits at most this long for others to overtake it. */
const LONGEST_HOLD_MS = 1_000;

interface Waiting { pieces: Buffer[]; by: number; ready: boolean }
interface Held { pieces: Buffer[]; left: number; timer: NodeJS.Timeout }

/** The way of one connection's frames through the faults that concern them. */
export class FaultyLine {
  readonly #write: (bytes: Buffer) => void;
  readonly #timers = new Set<NodeJS.Timeout>();
  readonly #queue: Waiting[] = [];
  #held: Held[] = [];

  constructor(write: (bytes: Buffer) => void) {
    this.#write = write;
  }

  /** True when nothing waits in it: frames may go past it. */
  get idle(): boolean {
    return this.#queue.length === 0 && this.#held.length === 0;
  }

  /** A delay keeps the order: what follows a delayed frame waits for it. */
  send(frame: Frame, combined: boolean, orders: readonly FrameOrder[]): void {
    let pieces = [frame.bytes(combined)];
    let [delay, by] = [0, 0];
    for (const order of orders) {
      switch (order.kind) {
        case 'drop': case 'freeze': pieces = []; break;
        case 'duplicate': pieces = pieces.flatMap((piece) => Array.from({ length: order.times + 1 }, () => piece)); break;
        case 'truncate': pieces = pieces.map(() => truncated(frame.text(combined))); break;
        case 'corrupt': pieces = pieces.map((piece) => corrupted(frame.text(combined), piece, order.how)); break;
        case 'delay': delay = Math.max(delay, order.ms); break;
        case 'reorder': by = Math.max(by, order.by); break;
      }
    }
    if (pieces.length === 0) return;
    if (delay === 0 && this.#queue.length === 0) {
      this.#pass(pieces, by);
      return;
    }
    const waiting: Waiting = { pieces, by, ready: delay === 0 };
    this.#queue.push(waiting);
    if (delay > 0) this.#after(delay, () => { waiting.ready = true; this.#drain(); });
  }

  close(): void {
    for (const timer of this.#timers) clearTimeout(timer);
    this.#timers.clear();
    this.#queue.length = 0;
    this.#held = [];
  }

  #drain(): void {
    while (this.#queue[0]?.ready) {
      const { pieces, by } = this.#queue.shift() as Waiting;
      this.#pass(pieces, by);
    }
  }

  #pass(pieces: Buffer[], by: number): void {
    if (by > 0) {
      const held: Held = { pieces, left: by, timer: this.#after(LONGEST_HOLD_MS, () => this.#release(held)) };
      this.#held.push(held);
      return;
    }
    for (const piece of pieces) this.#write(piece);
    for (const held of this.#held) if (--held.left <= 0) this.#release(held);
  }

  #release(held: Held): void {
    if (!this.#held.includes(held)) return;
    this.#held = this.#held.filter((one) => one !== held);
    clearTimeout(held.timer);
    this.#timers.delete(held.timer);
    for (const piece of held.pieces) this.#write(piece);
  }

  #after(ms: number, act: () => void): NodeJS.Timeout {
    const timer = setTimeout(() => { this.#timers.delete(timer); act(); }, ms);
    this.#timers.add(timer);
    return timer;
  }
}

/** Half of the text, in a frame that is whole: JSON that ends too soon. */
function truncated(text: string): Buffer {
  return textFrame(text.slice(0, text.length >> 1));
}

/** `json`: a control character in the midst of it; `utf8`: a byte that no text may have; `frame`: a reserved bit is set. */
function corrupted(text: string, whole: Buffer, how: 'json' | 'utf8' | 'frame'): Buffer {
  const middle = text.length >> 1;
  if (how === 'json') return textFrame(`${text.slice(0, middle)}\u0001${text.slice(middle + 1)}`);
  if (how === 'utf8') {
    const bytes = Buffer.from(text);
    bytes[middle] = 0xff;
    return textFrame(bytes);
  }
  const bytes = Buffer.from(whole);
  bytes[0] = (bytes[0] as number) | 0x40;
  return bytes;
}
