import { seededRandom } from '../random.ts';
import type { MachineRow } from '../types.ts';
import { isRequestOrder, type FaultKind, type FaultOrder, type MachineOrder, type OrderOf, type RequestOrder } from './kinds.ts';

/** A fault as GET /_stand-in/faults shows it. */
export interface FaultView { id: string; order: FaultOrder; strikes: number; since: number; endsAt: number | null; active: boolean }
interface Kept extends FaultView { random: () => number; toSkip: number; timer: NodeJS.Timeout | undefined; held: Set<string>; spared: Set<string> }

/** What a request is known by. */
export interface Asked { verb: string; write: boolean; app: string | null; machine: string | null }

/** Ended faults that are still listed. */
const REMEMBERED = 500;

/**
 * The faults that were asked for: which are active, what each matches, how often each has struck. It decides; those who answer and move machines
 * do the harm. Chance is drawn from a fault's seed, so the same order over the same requests strikes the same.
 */
export class Faults {
  readonly #now: () => number;
  readonly #all: Kept[] = [];
  readonly #patterns = new Map<string, RegExp>();
  readonly #ends: ((order: FaultOrder) => void)[] = [];
  #active: Kept[] = [];
  #made = 0;

  constructor(now: () => number) {
    this.#now = now;
  }

  /** Calls back whenever a fault has ended, however it did. */
  onEnd(listener: (order: FaultOrder) => void): void {
    this.#ends.push(listener);
  }

  add(order: FaultOrder): FaultView {
    const since = this.#now();
    const forMs = 'forMs' in order ? order.forMs : undefined;
    const kept: Kept = {
      id: String(this.#made += 1), order, strikes: 0, since, endsAt: forMs === undefined ? null : since + forMs, active: true,
      held: new Set(), spared: new Set(),
      random: seededRandom(('seed' in order ? order.seed : undefined) ?? this.#made), toSkip: 'skip' in order ? order.skip : 0,
      timer: forMs === undefined ? undefined : setTimeout(() => this.#end(kept), forMs).unref(),
    };
    this.#all.push(kept);
    if (this.#all.length > REMEMBERED) this.#all.splice(Math.max(0, this.#all.findIndex((one) => !one.active)), 1);
    this.#active.push(kept);
    return view(kept);
  }

  /** Notes an act that is over once it is done, so that it is listed with the others. */
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
    return this.#all.map(view);
  }

  /** The orders of this kind that are in force, without striking. */
  all<K extends FaultKind>(kind: K): OrderOf<K>[] {
    return this.#active.filter((fault) => fault.order.kind === kind).map((fault) => fault.order as OrderOf<K>);
  }

  /** Everything that strikes this request, in the order in which it was asked for. */
  request(asked: Asked): RequestOrder[] {
    if (this.#active.length === 0) return [];
    return this.#active.filter((fault) => isRequestOrder(fault.order) && this.#concerns(fault.order, asked) && this.#strikes(fault)).map((fault) => fault.order as RequestOrder);
  }

  /** The first fault of this kind that strikes a young thing of this age (ms). */
  young(kind: 'young-app' | 'young-machine', asked: Asked, ageMs: number): boolean {
    return this.#first((fault) => fault.order.kind === kind && ageMs < (fault.order as OrderOf<typeof kind>).ms && this.#concerns(fault.order as OrderOf<typeof kind>, asked)) !== undefined;
  }

  get touchYoung(): boolean {
    return this.#active.some(({ order }) => order.kind === 'young-app' || order.kind === 'young-machine');
  }

  /** False while no fault concerns machines: then nobody needs to ask. */
  get touchMachines(): boolean {
    return this.#active.some(({ order }) => order.kind === 'wedge' || order.kind === 'host-unreachable');
  }

  /** The first fault of this kind that strikes this machine. */
  machine<K extends MachineOrder['kind']>(kind: K, machine: MachineRow, app: string, fits: (order: OrderOf<K>) => boolean = () => true): OrderOf<K> | undefined {
    return this.#first((fault) => fault.order.kind === kind && this.picks(fault.order as OrderOf<K>, machine, app) && fits(fault.order as OrderOf<K>))?.order as OrderOf<K> | undefined;
  }

  /**
   * The fault of this kind that holds this machine: once struck it is held until the fault ends or `key` is another, and once spared it is not asked again.
   * Here `count` is how many are held; the fault itself goes on.
   */
  holds<K extends 'wedge' | 'host-unreachable'>(kind: K, machine: MachineRow, app: string, fits: (order: OrderOf<K>) => boolean = () => true): OrderOf<K> | undefined {
    if (this.#active.length === 0) return undefined;
    const key = kind === 'wedge' ? `${machine.id}:${machine.goal}:${machine.boot}` : machine.id;
    for (const fault of this.#active) {
      if (fault.order.kind !== kind) continue;
      const order = fault.order as OrderOf<K>;
      if (fault.held.has(key)) return order;
      if (!fits(order) || fault.spared.has(`${key}:${kind === 'wedge' ? machine.state : ''}`) || !this.picks(order, machine, app)) continue;
      const { count } = order as MachineOrder;
      const full = count !== undefined && fault.held.size >= count;
      if (!full && this.#strikes(fault)) {
        fault.held.add(key);
        return order;
      }
      fault.spared.add(`${key}:${kind === 'wedge' ? machine.state : ''}`);
    }
    return undefined;
  }

  /** The first fault of a lack of room that strikes here. */
  capacity(of: 'machine' | 'volume', region: string, app: string): OrderOf<'capacity'> | undefined {
    return this.#first(({ order }) => order.kind === 'capacity' && (order.of === of || order.of === 'all') && this.#matches(order.region, region) && this.#matches(order.app, app))?.order as OrderOf<'capacity'> | undefined;
  }

  /** Whether an order speaks of this machine. */
  picks(order: { app: string; machine: string; name?: string; region?: string; image?: string }, machine: MachineRow, app: string): boolean {
    return this.#matches(order.app, app) && this.#matches(order.machine, machine.id) && this.#matches(order.name ?? '*', machine.name)
      && this.#matches(order.region ?? '*', machine.region) && this.#matches(order.image ?? '*', machine.config.image);
  }

  /** Whether a region is one that lists do not read now. */
  unread(region: string): boolean {
    return this.all('error-region').some((order) => this.#matches(order.region, region));
  }

  speaks(form: OrderOf<'dialect'>['form']): boolean {
    return this.all('dialect').some((order) => order.form === form);
  }

  /** By how many ms Fly's clock is told wrong. */
  skew(): number {
    return this.#active.length === 0 ? 0 : this.all('clock-skew').reduce((sum, order) => sum + order.ms, 0);
  }

  #first(fits: (fault: Kept) => boolean): Kept | undefined {
    return this.#active.length === 0 ? undefined : this.#active.find((fault) => fits(fault) && this.#strikes(fault));
  }

  #concerns(order: { verb: string; app: string; machine: string; only: 'reads' | 'writes' | 'all' }, asked: Asked): boolean {
    return (order.only === 'all' || (order.only === 'writes') === asked.write) && this.#matches(order.verb, asked.verb)
      && this.#matches(order.app, asked.app ?? '') && this.#matches(order.machine, asked.machine ?? '');
  }

  #strikes(fault: Kept): boolean {
    const { chance = 1, count } = fault.order as { chance?: number; count?: number };
    if (chance < 1 && fault.random() >= chance) return false;
    if (fault.toSkip > 0) {
      fault.toSkip -= 1;
      return false;
    }
    fault.strikes += 1;
    if (count !== undefined && fault.strikes >= count && !isHolding(fault.order)) this.#end(fault);
    return true;
  }

  #matches(pattern: string, text: string): boolean {
    if (pattern === '*') return true;
    let found = this.#patterns.get(pattern);
    if (!found) this.#patterns.set(pattern, (found = new RegExp(`^${pattern.split('*').map((part) => part.replace(/[.*+?^${}()|[\]\\]/g, '\\$&')).join('.*')}$`)));
    return found.test(text);
  }

  #end(fault: Kept): void {
    if (!fault.active) return;
    fault.active = false;
    clearTimeout(fault.timer);
    this.#active = this.#active.filter((one) => one !== fault);
    for (const listener of this.#ends) listener(fault.order);
  }

  close(): void {
    for (const { timer } of this.#active) clearTimeout(timer);
  }
}

const isHolding = (order: FaultOrder) => order.kind === 'wedge' || order.kind === 'host-unreachable';
const view = ({ id, order, strikes, since, endsAt, active }: Kept): FaultView => ({ id, order, strikes, since, endsAt, active });
