import type { Logger } from 'pino';
import type { Claim, ControlDatabase } from '../database/control.ts';
import type { MachineRow } from '../database/rows.ts';
import { LeaseLost } from './act.ts';
import { hashOf } from './hash.ts';
import { settle } from './outcome.ts';
import { reconcile, type ReconcileContext } from './reconcile.ts';
import { keepRowLease } from './row-lease.ts';
import { contractHash } from './wish.ts';

export interface LoopOptions {
  database: Pick<ControlDatabase, 'claim' | 'renew' | 'release' | 'replicaBeat' | 'replicaLeave' | 'giveTurns'>;
  context: ReconcileContext;
  log: Logger;
  now: () => number;
  random: () => number;
  /** Called when something was written of a machine, so that watchers in this process look at once. */
  changed: (machineId: string) => void;
  /** Told of every look that ended. */
  looked: (outcome: string, ms: number) => void;
  /** Machines looked after at once. */
  parallel?: number;
  leaseSeconds: number;
  /** Of the machines that run so many may be given what all are given, when that changed, within ten minutes. */
  contractShare: number;
  idleMs?: number;
  /** Told how many replicas live, whenever that was asked. */
  replicas?: (live: number) => void;
}

/** Each replica says so often that it lives, and is forgotten after three times that. */
const BEAT_MS = 5_000;
/** Of all places so many at most go to machines that fail again and again: they may hang, and must not keep the others waiting. */
const TROUBLED_SHARE = 1 / 3;

/** One look under way. */
interface Place { done: Promise<void>; abort: AbortController; troubled: boolean }

export interface ReconcilerLoop {
  /** Look for due machines now: a wish was just written. */
  wake(): void;
  /** When machines were last claimed, or asked for without an error (ms); 0 = never. */
  lastClaimAt(): number;
  /** Looks under way. */
  underWay(): number;
  /** Takes nothing new, lets what is under way finish for `graceMs`, then gives it back. */
  stop(graceMs?: number): Promise<void>;
}

/**
 * Claims due machines and looks after each, many at once: a slow one never delays another. Holds nothing that another replica could not
 * find in the database: when this process dies, its leases run out and others go on.
 */
export function startLoop(options: LoopOptions): ReconcilerLoop {
  const { database, context, log, now, leaseSeconds } = options;
  const parallel = options.parallel ?? 24;
  const idleMs = options.idleMs ?? 500;
  const working = new Set<Place>();
  const stopped = new AbortController();
  let lastClaimAt = 0;
  let failures = 0;
  /** When looks of this replica asked for another one, sooner than it asks for due machines anyway. */
  let dues: number[] = [];
  /** Something may be due that nobody has asked for. */
  let wanted = false;
  let wakeSleeper: (() => void) | null = null;

  const wake = () => { wanted = true; wakeSleeper?.(); };

  const sleep = (ms: number) => new Promise<void>((resolve) => {
    if (wanted) return resolve();
    const timer = setTimeout(resolve, ms);
    wakeSleeper = () => { clearTimeout(timer); resolve(); };
  });

  /** For so many places: none once it ends, or where two versions that give machines different things would update them back and forth. */
  const claimFor = (places: number, ending?: Place): Claim => {
    const troubled = [...working].filter((place) => place.troubled && place !== ending).length;
    return { owner: context.replicaId, leaseSeconds, limit: superseded || stopped.signal.aborted ? 0 : places, troubled: Math.max(0, Math.ceil(parallel * TROUBLED_SHARE) - troubled) };
  };

  async function look(row: MachineRow, claimedAt: number, place: Place): Promise<void> {
    const began = now();
    const lease = keepRowLease({
      leaseMs: leaseSeconds * 1_000, since: claimedAt, now, renew: () => database.renew(row.id, row.fence, leaseSeconds),
      failed: (err) => { log.warn({ machine: row.id, err }, 'lease not renewed'); }, lost: () => { place.abort.abort(); },
    });
    try {
      const look = await reconcile(row, context, place.abort.signal);
      const settled = settle(look.outcome, look.row, now(), options.random());
      if (look.outcome.kind === 'retryable' || look.outcome.kind === 'terminal') log.info({ machine: row.id, app: row.fly_app, trouble: look.outcome.trouble, nextLookMs: settled.nextLookMs }, 'machine needs another look');
      const asked = now();
      const { kept, claimed } = await database.release(row.id, row.fence, { ...look.patch, ...settled.patch }, [...look.events, ...settled.events], settled.nextLookMs / 1_000, claimFor(1, place));
      lastClaimAt = now();
      for (const next of claimed) begin(next, asked);
      if (!kept) throw new LeaseLost();
      if (settled.nextLookMs <= idleMs) dues.push(now() + settled.nextLookMs);
      options.looked(look.outcome.kind, now() - began);
    } catch (error) {
      // nothing is lost: the lease runs out and the row is due again; what else is due was perhaps not asked for
      wanted = true;
      options.looked(error instanceof LeaseLost ? 'lease-lost' : 'error', now() - began);
      if (error instanceof LeaseLost) log.info({ machine: row.id }, 'another replica has this machine now');
      else log.error({ machine: row.id, err: error }, 'the look could not be written back');
    } finally {
      lease.end();
      options.changed(row.id);
    }
  }

  function begin(row: MachineRow, claimedAt: number): void {
    const place: Place = { done: Promise.resolve(), abort: new AbortController(), troubled: row.attempts >= 3 };
    // claimed with the end of a look while this replica ended: given back as it is
    if (stopped.signal.aborted) place.abort.abort();
    working.add(place);
    place.done = look(row, claimedAt, place).finally(() => {
      working.delete(place);
      // something may be due sooner than the next poll
      wakeSleeper?.();
    });
  }

  /** Takes all that is due, as far as there is room. */
  async function claim(): Promise<void> {
    const asked = now();
    dues = dues.filter((due) => due > asked);
    const request = claimFor(parallel - working.size);
    // nothing to claim for, or no place free: that is no failure to claim
    if (request.limit <= 0) {
      lastClaimAt = asked;
      return;
    }
    const rows = await database.claim(request);
    lastClaimAt = now();
    for (const row of rows) begin(row, asked);
  }

  /** A beat that fails is made up for by the next: meanwhile this replica keeps the share it had. */
  async function beat(): Promise<void> {
    try {
      const { live, superseded: younger } = await database.replicaBeat(context.replicaId, (3 * BEAT_MS) / 1_000, contract);
      if (younger !== superseded) log.info({ younger }, younger ? 'a younger version of the control plane looks after machines' : 'this replica looks after machines');
      superseded = younger;
      options.replicas?.(live);
    } catch (error) {
      log.debug({ err: error }, 'beat of this replica not written');
      return;
    }
    if (!superseded) await giveTurns();
  }

  /** Without turns no machine that works takes what all are given anew: that it fails is told, once until it no longer does. */
  async function giveTurns(): Promise<void> {
    try {
      if ((await database.giveTurns(shared, options.contractShare)) > 0) wake();
      turnsFail = false;
    } catch (error) {
      log[turnsFail ? 'debug' : 'warn']({ err: error }, 'no machine was given its turn to take what all are given: tried again with each beat');
      turnsFail = true;
    }
  }
  const contract = hashOf(context.contract);
  const shared = contractHash(context.contract);
  let superseded = false;
  let turnsFail = false;
  const beats = setInterval(() => { void beat(); }, BEAT_MS);
  void beat();

  async function run(): Promise<void> {
    let askAt = 0;
    while (!stopped.signal.aborted) {
      if (wanted || now() >= askAt || (failures === 0 && dues.some((due) => due <= now()))) {
        wanted = false;
        try {
          await claim();
          failures = 0;
          askAt = now() + idleMs;
        } catch (error) {
          failures += 1;
          askAt = now() + Math.min(2_000, 250 * 2 ** Math.min(failures, 5)) * (0.5 + options.random() / 2);
          if (failures === 1 || failures % 10 === 0) log.warn({ err: error, failures }, 'no machines could be claimed');
        }
      }
      const until = failures > 0 ? askAt : Math.min(askAt, ...dues);
      if (!stopped.signal.aborted && until > now()) await sleep(until - now());
    }
  }
  const running = run();

  return {
    wake,
    lastClaimAt: () => lastClaimAt,
    underWay: () => working.size,
    async stop(graceMs = 3_000) {
      stopped.abort();
      clearInterval(beats);
      wake();
      await running;
      const timer = setTimeout(() => { for (const place of working) place.abort.abort(); }, graceMs);
      while (working.size > 0) await Promise.all([...working].map((place) => place.done));
      clearTimeout(timer);
      // the others have its share at once; if this is lost, after three beats
      await database.replicaLeave(context.replicaId).catch(() => undefined);
    },
  };
}
