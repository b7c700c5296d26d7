import { randomBytes, randomUUID } from 'node:crypto';
import { FLY_PRICES } from '@trademind/core';
import type { FlyClient } from '../../../packages/fly/index.ts';
import type { DesiredPatch, MachinePatch, MachineRow, NewEvent } from '../../../control-plane/database/rows.ts';
import { settle } from '../../../control-plane/reconciler/outcome.ts';
import { reconcile, type Look, type ReconcileContext } from '../../../control-plane/reconciler/reconcile.ts';
import { contractHash, type MachineContract } from '../../../control-plane/reconciler/wish.ts';
import { TEST_IMAGES, type TestFly } from '../../support/fly.ts';

const CONTRACT: MachineContract = {
  appNameKey: 'a-key-for-tests-only', urlTemplate: 'https://{app}.fly.dev', supabaseUrl: 'http://s', supabasePublishableKey: 'p', controlPlaneUrl: 'http://c', ticketJwks: '{"keys":[]}',
  allowedOrigins: [], env: {}, allowUsRegions: false,
};

/** The replica died at this write. */
class Died extends Error {}

/** What the database keeps of one machine, as its SQL functions do (they have tests of their own), on a clock that the test moves. */
export class World {
  readonly fly: FlyClient;
  readonly clock: { now: number };
  row: MachineRow;
  /** What the operator gives to all machines. */
  contract = CONTRACT;
  events: NewEvent[] = [];
  secrets: { hash: string; version: number }[] = [];
  /** Looks that found nothing to do end here. */
  last: Look['outcome'] | null = null;
  #writesToLive = Infinity;

  constructor(fly: TestFly, clock: { now: number }) {
    this.fly = fly.fly;
    this.clock = clock;
    this.row = this.#newRow(randomUUID());
  }

  #iso(): string { return new Date(this.clock.now).toISOString(); }

  #newRow(userId: string): MachineRow {
    return {
      id: randomUUID(), user_id: userId, environment: 'local', generation: 1, desired_state: 'started', desired_region: 'sin', desired_cpu_kind: 'shared', desired_cpus: 1, desired_memory_mb: 512,
      desired_image: TEST_IMAGES.tiny, desired_env: {}, desired_regions: [], desired_sizes: [], desired_restart: 0, desired_secret: 1, wished_at: this.#iso(), observed_generation: 0,
      phase: 'requested', phase_since: this.#iso(), phase_detail: null, fly_app: null, fly_machine_id: null, fly_volume_id: null, fly_instance_id: null, fly_state: null, region: null, cpu_kind: null,
      cpus: null, memory_mb: null, image: null, url: null, last_error: null, placed: null, tried: [], placement: 1, good: null, failed_generation: 0, failure: null, config_sent_at: null,
      secret_version: 0, secret_oldest: 1, doubt: null, unreachable_since: null, drain_until: null, drain_reason: null, contract_turn: null, claimed_at: null, token_epoch: 1, status: null, beat_at: null, fence: 0,
      attempts: 0, created_at: this.#iso(), updated_at: this.#iso(),
    };
  }

  wish(patch: DesiredPatch): void {
    if (this.row.phase === 'destroyed') {
      if (patch.desired_state !== 'started') return;
      this.row = this.#newRow(this.row.user_id);
      this.secrets = [];
    }
    if (this.row.desired_state === 'destroyed') return;
    const before = this.row;
    const after = { ...before, ...patch, attempts: 0 };
    const changed = (keys: readonly (keyof DesiredPatch)[]) => keys.some((key) => JSON.stringify(before[key]) !== JSON.stringify(after[key]));
    if (changed(Object.keys(patch) as (keyof DesiredPatch)[])) {
      after.generation += 1;
      after.wished_at = this.#iso();
    }
    if (changed(['desired_region', 'desired_regions', 'desired_cpus', 'desired_cpu_kind', 'desired_memory_mb', 'desired_sizes'])) Object.assign(after, { placed: null, tried: [] });
    if (changed(['desired_region'])) after.placement = Math.max(before.placement + 1, after.generation);
    this.row = after;
  }

  /** From now on all machines are given this beside the rest. */
  give(env: Record<string, string>): void { this.contract = { ...CONTRACT, env }; }

  /** It works, and is not known to have what all are given: then its turn comes, one day. */
  #awaitsTurn(): boolean {
    const { row } = this;
    return row.phase === 'screening' && row.desired_state === 'started' && row.observed_generation === row.generation && row.good?.contract !== contractHash(this.contract);
  }

  /** The replica that looks now dies after so many writes; another goes on. */
  dieAfter(writes: number): void { this.#writesToLive = writes; }

  #write(fence: number, patch: MachinePatch, events: readonly NewEvent[]): boolean {
    if (this.#writesToLive <= 0) throw new Died();
    this.#writesToLive -= 1;
    if (fence !== this.row.fence) return false;
    this.row = { ...this.row, ...patch, ...(patch.phase !== undefined && patch.phase !== this.row.phase ? { phase_since: this.#iso() } : {}) };
    this.events.push(...events);
    return true;
  }

  #context(): ReconcileContext {
    return {
      fly: this.fly, org: 'personal', contract: this.contract, replicaId: 'model', prices: () => FLY_PRICES, now: () => this.clock.now, newSecret: () => randomBytes(32).toString('base64url'), lastLogs: () => Promise.resolve(['its last words']),
      probe: async (app) => {
        const machines = await this.fly.machines.list(app).catch(() => []);
        return machines.some((machine) => machine.state === 'started' && machine.config?.image === TEST_IMAGES.tiny);
      },
      database: {
        record: (_id, fence, patch, events, secret) => {
          const kept = this.#write(fence, patch, events);
          if (kept && secret !== null) this.secrets.push(secret);
          return Promise.resolve(kept ? this.row.generation : null);
        },
        retireSecrets: (_id, _fence, version) => { this.secrets = this.secrets.filter((secret) => secret.version >= version); return Promise.resolve(true); },
        requestDrain: () => Promise.resolve(true),
      },
    };
  }

  /** One look, as the loop takes it; the clock goes on to the next one unless told otherwise. */
  async look(): Promise<void> {
    if (this.row.phase === 'destroyed') return;
    const fence = this.row.fence + 1;
    this.row = { ...this.row, fence, claimed_at: this.#iso() };
    const generation = this.row.generation;
    try {
      const look = await reconcile(this.row, this.#context(), AbortSignal.timeout(60_000));
      const settled = settle(look.outcome, { ...this.row, generation }, this.clock.now, 0.5);
      this.#write(fence, { ...look.patch, ...settled.patch }, [...look.events, ...settled.events]);
      this.last = look.outcome;
      if (look.outcome.kind === 'done' && this.#awaitsTurn()) this.row = { ...this.row, contract_turn: contractHash(this.contract) };
      this.clock.now += Math.min(settled.nextLookMs, 15_000);
    } catch (error) {
      if (!(error instanceof Died)) throw error;
      this.clock.now += 10_000;
    } finally {
      this.#writesToLive = Infinity;
    }
  }

  /** Looks until nothing is left to do; false when that does not come. */
  async settle(looks = 400): Promise<boolean> {
    for (let n = 0; n < looks; n += 1) {
      await this.look();
      // what moves in the stand-in does so between two looks
      await new Promise((resolve) => { setTimeout(resolve, 3); });
      const { row } = this;
      const clean = row.doubt === null && !this.#awaitsTurn() && (this.last?.kind === 'done' || this.last?.kind === 'terminal');
      if (row.phase === 'destroyed' || (clean && n > 0)) return true;
    }
    return false;
  }
}
