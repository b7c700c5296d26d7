import { hash, uniformAt } from '../market/random.ts';
import { FRAME_KINDS, REST_KINDS, type CandleOrder, type FaultKind, type FaultOrder, type FrameOrder, type OrderOf, type RestOrder } from './kinds.ts';

/** A fault as GET /faults shows it. */
export interface FaultView { id: string; order: FaultOrder; strikes: number; since: number; endsAt: number | null; active: boolean }

interface Kept { id: string; order: FaultOrder; key: number; seen: number; strikes: number; since: number; endsAt: number | null; active: boolean; ends: (() => void)[] }

/** Ended faults that are still listed. */
const REMEMBERED = 1_000;

/**
 * The faults that were asked for: which are active, what each matches, how often each has struck. It decides; those who send and
 * answer do the harm. Chance is drawn from a fault's seed, so the same order over the same traffic strikes the same.
 */
export class Faults {
  readonly #now: () => number;
  readonly #all: Kept[] = [];
  readonly #patterns = new Map<string, RegExp>();
  #active: Kept[] = [];
  #made = 0;
  #frames: Kept[] = [];

  /** `now` is wall time, ms. */
  constructor(now: () => number) {
    this.#now = now;
  }

  /** `atEnd` is called once when the fault has ended, however it did. */
  add(order: FaultOrder, atEnd?: () => void): FaultView {
    const since = this.#now();
    const forMs = 'forMs' in order ? order.forMs : undefined;
    const seed = 'seed' in order ? order.seed : '';
    const kept: Kept = {
      id: String(++this.#made), order, key: hash(`${seed}/${order.kind}/${seed === '' ? this.#made : ''}`),
      seen: 0, strikes: 0, since, endsAt: forMs === undefined ? null : since + forMs, active: true, ends: atEnd ? [atEnd] : [],
    };
    this.#all.push(kept);
    if (this.#all.length > REMEMBERED) this.#all.splice(this.#all.findIndex((one) => !one.active), 1);
    this.#refresh();
    return view(kept);
  }

  /** Notes an act that is over once it is done (a close, a shutdown), so that it is listed with the others. */
  note(order: FaultOrder, strikes: number): FaultView {
    const { id } = this.add(order);
    const kept = this.#all.find((one) => one.id === id) as Kept;
    kept.strikes = strikes;
    this.#end(kept);
    return view(kept);
  }

  remove(id: string): boolean {
    const found = this.#active.find((fault) => fault.id === id);
    if (found) this.#end(found);
    return found !== undefined;
  }

  clear(): void {
    for (const fault of this.#active) this.#end(fault);
  }

  list(): FaultView[] {
    this.tick();
    return this.#all.map(view);
  }

  /** Ends what has lasted its time. */
  tick(): void {
    const now = this.#now();
    for (const fault of this.#active) if (fault.endsAt !== null && now >= fault.endsAt) this.#end(fault);
  }

  /** False while no fault concerns frames: then nobody needs to ask. */
  get touchFrames(): boolean {
    return this.#frames.length > 0;
  }

  /** The faults that strike this frame, in the order they were asked for. */
  frame(stream: string, payload: string, connection: string): FrameOrder[] {
    return this.#frames.filter((fault) => {
      const order = fault.order as FrameOrder;
      if (order.connection !== undefined && order.connection !== connection) return false;
      if (order.contains !== undefined && !payload.includes(order.contains)) return false;
      return this.#matches(order.stream, stream) && this.#strikes(fault, order.chance, order.count);
    }).map((fault) => fault.order as FrameOrder);
  }

  stalls(connection: string): boolean {
    return this.#of('stall').some(({ order }) => order.connection === undefined || order.connection === connection);
  }

  /** The HTTP status with which a new connection is refused; null when it may come in. */
  refusal(): number | null {
    const [fault] = this.#of('refuse-connection');
    if (!fault || !this.#strikes(fault, 1, fault.order.count)) return null;
    return fault.order.status;
  }

  request(path: string): RestOrder[] {
    this.tick();
    return this.#active.filter((fault) => {
      if (!(REST_KINDS as readonly string[]).includes(fault.order.kind)) return false;
      const order = fault.order as RestOrder;
      return this.#matches(order.path, path) && this.#strikes(fault, order.chance, order.count);
    }).map((fault) => fault.order as RestOrder);
  }

  /** The active fault of this kind that strikes the candle. The same candle is struck again and again while the fault lasts. */
  candle<K extends CandleOrder['kind']>(kind: K, symbol: string, interval: string, openTime: number): OrderOf<K> | null {
    for (const fault of this.#of(kind)) {
      const order = fault.order as CandleOrder;
      if (order.openTime !== undefined && order.openTime !== openTime) continue;
      if (!this.#matches(order.symbol, symbol) || !this.#matches(order.interval, interval)) continue;
      if (order.chance < 1 && uniformAt(fault.key ^ hash(`${symbol}/${interval}`), openTime / 1000) >= order.chance) continue;
      // Whether it strikes was drawn above from the candle itself, so that a second look sees the same.
      this.#strikes(fault, 1, order.count);
      return order as OrderOf<K>;
    }
    return null;
  }

  /** By how many ms the exchange's clock is told wrong. */
  skew(): number {
    return this.#of('clock-skew').reduce((sum, { order }) => sum + order.ms, 0);
  }

  #of<K extends FaultKind>(kind: K): (Kept & { order: OrderOf<K> })[] {
    this.tick();
    return this.#active.filter((fault): fault is Kept & { order: OrderOf<K> } => fault.order.kind === kind);
  }

  #strikes(fault: Kept, chance: number, count: number | undefined): boolean {
    if (!fault.active || (fault.endsAt !== null && this.#now() >= fault.endsAt)) return false;
    if (chance < 1 && uniformAt(fault.key, fault.seen++) >= chance) return false;
    fault.strikes += 1;
    if (count !== undefined && fault.strikes >= count) this.#end(fault);
    return true;
  }

  #matches(pattern: string, text: string): boolean {
    let found = this.#patterns.get(pattern);
    if (!found) {
      found = new RegExp(`^${pattern.split('*').map((part) => part.replace(/[.*+?^${}()|[\]\\]/g, '\\$&')).join('.*')}$`);
      this.#patterns.set(pattern, found);
    }
    return found.test(text);
  }

  #end(fault: Kept): void {
    if (!fault.active) return;
    fault.active = false;
    this.#refresh();
    for (const end of fault.ends.splice(0)) end();
  }

  #refresh(): void {
    this.#active = this.#all.filter((fault) => fault.active);
    this.#frames = this.#active.filter((fault) => (FRAME_KINDS as readonly string[]).includes(fault.order.kind));
  }
}

const view = ({ id, order, strikes, since, endsAt, active }: Kept): FaultView => ({ id, order, strikes, since, endsAt, active });
