import { codeOf, sentenceOf, TradeMindError } from '@trademind/core';
import type { Log } from '../log.ts';
import { Nudge } from '../nudge.ts';
import type { StateStore } from '../state/state-store.ts';
import { Backoff, pause, type Wall } from '../time.ts';
import type { Database, LeaseAnswer } from './database.ts';

const LEASE_S = 60;
const RENEW_MS = 20_000;
const BACKOFF = { first: 500, most: 5_000 };
const ASK_AGAIN_MS = { least: 500, most: 5_000 };
const RELEASE_MS = 2_000;
const HOLDER_KEY = 'owner_lease_holder';
const ELSEWHERE_KEY = 'owner_lease_elsewhere';

/** Who acts for the user, as another machine is told of it. */
export interface Owner { machineId: string; environment: string; region: string; since: string }

/**
 *               ┌──────────── answer: held ────────────┐
 *   unknown ────┤                                      ▼        the time is over, no answer
 *      │        └─ answer: another's ─► waiting      held ─────────────────► lapsed
 *      │                                   ▲  │        │  ◄── answer: held ────┘ │
 *      │                                   │  └────────┼── answer: another's ◄───┘
 *      └── release ──► released ◄── release ──────────┘
 *
 * | state    | what it is                                          | screens, analyses, exits | enters |
 * | unknown  | the database has not answered since the start       | unless it waited before  | no     |
 * | held     | this machine is the user's one owner                | yes                      | yes    |
 * | lapsed   | it was, and the database does not confirm it   | yes                      | no     |
 * | waiting  | another machine of the user is                      | no                       | no     |
 * | released | given up, at the end                                | no                       | no     |
 */
export type OwnerState =
  | { state: 'unknown' }
  | { state: 'held'; fence: number }
  | { state: 'lapsed'; fence: number }
  | { state: 'waiting'; owner: Owner; freeInMs: number }
  | { state: 'released' };

export interface OwnerLeaseOptions {
  database: Pick<Database, 'holdLease' | 'releaseLease'>;
  /** Where the id of this disk is kept, and whether another machine was the owner when last heard of. */
  store: Pick<StateStore, 'get' | 'set'>;
  wall: Wall;
  log: Log;
  signal: AbortSignal;
  newId: () => string;
  /** The state is another one now. */
  onChange: (state: OwnerState) => void;
}

/**
 * This machine's part in "one owner per user". Takes the lease, renews it at a third of its time, and knows by two clocks of its own when it
 * is over, counted from before it asked: so it never believes longer than the database that it holds it. Others wait a minute longer still.
 */
export class OwnerLease {
  readonly #options: OwnerLeaseOptions;
  readonly #holder: string;
  readonly #nudge: Nudge;
  readonly #backoff: Backoff;
  #fence: number | null = null;
  /** Until when it is held. By the clock that never jumps, and by the other, which goes on while a machine is suspended. */
  #until = { now: -Infinity, from: 0, epoch: 0 };
  #owner: { owner: Owner; freeAt: number } | undefined;
  #released = false;
  #told: OwnerState = { state: 'unknown' };
  #problem: { code: string; message: string } | null = null;
  #callOff: (() => void) | undefined;
  #asking: Promise<number> = Promise.resolve(0);

  constructor(options: OwnerLeaseOptions) {
    this.#options = options;
    this.#nudge = new Nudge(options.signal);
    this.#backoff = new Backoff({ ...BACKOFF, random: options.wall.random });
    this.#holder = options.store.get(HOLDER_KEY) ?? options.newId();
    options.store.set(HOLDER_KEY, this.#holder);
  }

  /** As it stands at this moment. */
  get state(): OwnerState {
    if (this.#released) return { state: 'released' };
    if (this.#owner) return { state: 'waiting', owner: this.#owner.owner, freeInMs: Math.max(0, this.#owner.freeAt - this.#options.wall.now()) };
    if (this.#fence === null) return { state: 'unknown' };
    return { state: this.#isInTime() ? 'held' : 'lapsed', fence: this.#fence };
  }

  /** Whether this machine screens, analyses and closes positions now. */
  get mayAct(): boolean {
    const { state } = this.state;
    if (state === 'unknown') return this.#options.store.get(ELSEWHERE_KEY) !== 'yes';
    return state === 'held' || state === 'lapsed';
  }

  /** The fence under which a new entry order may be sent at this moment. Throws `owner_elsewhere`, `owner_unsure` or `owner_released`, with the reason. */
  entryFence(): number {
    const now = this.state;
    if (now.state === 'held') return now.fence;
    const { code, message } = reasonOf(now);
    throw new TradeMindError({ code, message });
  }

  /** Why this machine waits, or sends no new entry orders; null while it is the owner, and before it has asked. */
  get problem(): { code: string; message: string } | null {
    const now = this.state;
    return now.state === 'waiting' || now.state === 'lapsed' ? reasonOf(now) : this.#problem;
  }

  /** Holds on to the lease until the signal ends it. */
  async run(): Promise<void> {
    const { signal } = this.#options;
    while (!signal.aborted && !this.#released) {
      this.#asking = this.#once();
      await this.#nudge.wait(await this.#asking);
    }
    this.#callOff?.();
  }

  /** Gives the lease up, so that nobody has to wait for its end. Nothing may act here any more when it is called. Takes at most 2 s, never rejects. */
  async release(): Promise<void> {
    const { signal, wall } = this.#options;
    this.#released = true;
    this.#nudge.now();
    this.#tell();
    await Promise.race([this.#giveUp(), pause(RELEASE_MS, signal, wall)]);
  }

  async #giveUp(): Promise<void> {
    // What was asked before may be granted after: it is waited for, or it would outlive the release.
    await this.#asking;
    const fence = this.#fence;
    if (fence !== null) await this.#options.database.releaseLease(this.#holder, fence).catch(() => false);
  }

  async #once(): Promise<number> {
    const { database, wall, log, signal } = this.#options;
    const asked = { now: wall.now(), epoch: wall.epoch() };
    try {
      const answer = await database.holdLease(this.#holder, this.#fence, LEASE_S);
      if (this.#released) {
        if (answer.held) this.#fence = answer.fence;
        return 0;
      }
      if (this.#problem) log('info', 'owner_lease_answered', 'The database answers about the owner lease again.');
      this.#problem = null;
      this.#backoff.reset();
      return answer.held ? this.#held(answer, asked) : this.#elsewhere(answer);
    } catch (error) {
      if (signal.aborted || this.#released) return 0;
      if (this.#problem?.code !== codeOf(error)) log('warn', codeOf(error), `The owner lease cannot be renewed: ${sentenceOf(error)}`);
      this.#problem = { code: codeOf(error), message: sentenceOf(error) };
      this.#tell();
      return this.#backoff.next();
    }
  }

  #held(answer: Extract<LeaseAnswer, { held: true }>, asked: { now: number; epoch: number }): number {
    const { wall, log, store } = this.#options;
    if (this.#fence !== answer.fence) log('info', 'owner', `This machine acts for its user now (fence ${answer.fence}).`);
    this.#fence = answer.fence;
    this.#owner = undefined;
    store.set(ELSEWHERE_KEY, 'no');
    this.#until = { now: asked.now + answer.expires_in_ms, from: asked.epoch, epoch: asked.epoch + answer.expires_in_ms };
    this.#callOff?.();
    // When its time is over nothing happens by itself that would say so.
    this.#callOff = wall.after(Math.max(0, this.#until.now - wall.now()) + 1, () => this.#tell());
    this.#tell();
    return RENEW_MS;
  }

  #elsewhere(answer: Extract<LeaseAnswer, { held: false }>): number {
    const { wall, log, store } = this.#options;
    const { machine_id: machineId, environment, region, since } = answer.holder;
    const known = this.#owner?.owner;
    this.#owner = { owner: { machineId, environment, region, since }, freeAt: wall.now() + answer.free_in_ms };
    store.set(ELSEWHERE_KEY, 'yes');
    // A process that another one on the same disk has overtaken keeps its old fence: with none, it would take the lease back.
    if (!answer.superseded) this.#fence = null;
    if (known?.machineId !== machineId || known.since !== since) log('warn', 'owner_elsewhere', reasonOf(this.state).message);
    this.#tell();
    // The end of the lease may come earlier than it says: its holder may give it up.
    return Math.min(ASK_AGAIN_MS.most, Math.max(ASK_AGAIN_MS.least, answer.free_in_ms)) * (1 - wall.random() / 4);
  }

  #isInTime(): boolean {
    const { wall } = this.#options;
    const epoch = wall.epoch();
    return wall.now() < this.#until.now && epoch < this.#until.epoch && epoch >= this.#until.from;
  }

  #tell(): void {
    const now = this.state;
    const before = this.#told;
    this.#told = now;
    if (before.state !== now.state || ('fence' in now && 'fence' in before && now.fence !== before.fence)) this.#options.onChange(now);
  }
}

function reasonOf(state: OwnerState): { code: string; message: string } {
  switch (state.state) {
    case 'waiting': {
      const { machineId, environment, region, since } = state.owner;
      return { code: 'owner_elsewhere', message: `The user's machine ${machineId} (${environment}, ${region}) acts since ${since}; this one waits until it gives up or has not been heard of for a minute.` };
    }
    case 'lapsed': return { code: 'owner_unsure', message: 'The database has not confirmed for a minute that this machine acts for its user: it screens, analyses and closes positions, and opens none.' };
    case 'released': return { code: 'owner_released', message: 'This machine has stopped acting for its user.' };
    default: return { code: 'owner_unsure', message: 'The database has not yet said that this machine acts for its user: it opens no position until then.' };
  }
}
