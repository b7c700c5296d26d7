import type { Logger } from 'pino';
import type { ControlDatabase } from '../database/control.ts';
import type { MachineRow } from '../database/rows.ts';
import { LeaseLost } from './act.ts';
import { hashOf } from './hash.ts';
import { settle } from './outcome.ts';
import { reconcile, type ReconcileContext } from './reconcile.ts';

export interface LoopOptions {
  database: Pick<ControlDatabase, 'claim' | 'renew' | 'release' | 'replicaBeat' | 'replicaLeave'>;
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
  idleMs?: number;
  /** Told how many replicas live, whenever that was asked. */
  replicas?: (live: number) => void;
}

/** Each replica says so often that it lives, and is forgotten after three times that. */
const BEAT_MS = 5_000;
/** Of all places so many at most go to machines that fail again and again: they may hang, and must not keep the others waiting. */
const TROUBLED_SHARE = 1 / 3;

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
  const working = new Map<string, { done: Promise<void>; abort: AbortController; troubled: boolean }>();
  const stopped = new AbortController();
  let lastClaimAt = 0;
  let failures = 0;
  let dueAt = Infinity;
  let woken = false;
  let wakeSleeper: (() => void) | null = null;

  const wake = () => { woken = true; wakeSleeper?.(); };

  const sleep = (ms: number) => new Promise<void>((resolve) => {
    if (woken) return resolve();
    const timer = setTimeout(resolve, ms);
    wakeSleeper = () => { clearTimeout(timer); resolve(); };
  });

  /** A renewal that failed may succeed next time; one that was refused means that somebody else goes on. */
  async function renew(row: MachineRow, abort: AbortController): Promise<void> {
    try {
      if (!(await database.renew(row.id, row.fence, leaseSeconds))) abort.abort();
    } catch (error) {
      log.warn({ machine: row.id, err: error }, 'lease not renewed');
    }
  }

  async function look(row: MachineRow, abort: AbortController): Promise<void> {
    const began = now();
    const renewal = setInterval(() => {
      void renew(row, abort);
    }, (leaseSeconds * 1_000) / 3);
    try {
      const look = await reconcile(row, context, abort.signal);
      const settled = settle(look.outcome, look.row, now(), options.random());
      if (look.outcome.kind === 'retryable' || look.outcome.kind === 'terminal') log.info({ machine: row.id, app: row.fly_app, trouble: look.outcome.trouble, nextLookMs: settled.nextLookMs }, 'machine needs another look');
      const kept = await database.release(row.id, row.fence, { ...look.patch, ...settled.patch }, [...look.events, ...settled.events], settled.nextLookMs / 1_000);
      if (!kept) throw new LeaseLost();
      dueAt = Math.min(dueAt, now() + settled.nextLookMs);
      options.looked(look.outcome.kind, now() - began);
    } catch (error) {
      // nothing is lost: the lease runs out and the row is due again
      options.looked(error instanceof LeaseLost ? 'lease-lost' : 'error', now() - began);
      if (error instanceof LeaseLost) log.info({ machine: row.id }, 'another replica has this machine now');
      else log.error({ machine: row.id, err: error }, 'the look could not be written back');
    } finally {
      clearInterval(renewal);
      options.changed(row.id);
    }
  }

  function begin(row: MachineRow): void {
    const abort = new AbortController();
    const done = look(row, abort).finally(() => {
      working.delete(row.id);
      // a free place, or something due sooner than the next poll
      wakeSleeper?.();
    });
    working.set(row.id, { done, abort, troubled: row.attempts >= 3 });
  }

  async function claim(): Promise<number> {
    // two versions that give machines different things would update them back and forth
    const free = superseded ? 0 : parallel - working.size;
    // nothing to claim for, or no place free: that is no failure to claim
    if (free <= 0) {
      lastClaimAt = now();
      return 0;
    }
    dueAt = Infinity;
    const troubled = [...working.values()].filter((one) => one.troubled).length;
    const rows = await database.claim(context.replicaId, free, leaseSeconds, Math.max(0, Math.ceil(parallel * TROUBLED_SHARE) - troubled));
    lastClaimAt = now();
    for (const row of rows) begin(row);
    return rows.length;
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
    }
  }
  const contract = hashOf(context.contract);
  let superseded = false;
  const beats = setInterval(() => { void beat(); }, BEAT_MS);
  void beat();

  async function run(): Promise<void> {
    while (!stopped.signal.aborted) {
      woken = false;
      let pause = idleMs;
      try {
        const found = await claim();
        failures = 0;
        if (found > 0 && working.size < parallel) pause = 0;
      } catch (error) {
        failures += 1;
        pause = Math.min(2_000, 250 * 2 ** Math.min(failures, 5)) * (0.5 + options.random() / 2);
        if (failures === 1 || failures % 10 === 0) log.warn({ err: error, failures }, 'no machines could be claimed');
      }
      const until = failures > 0 ? pause : Math.min(pause, Math.max(20, dueAt - now()));
      if (!stopped.signal.aborted && pause > 0) await sleep(until);
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
      const timer = setTimeout(() => { for (const one of working.values()) one.abort.abort(); }, graceMs);
      await Promise.all([...working.values()].map((one) => one.done));
      clearTimeout(timer);
      // the others have its share at once; if this is lost, after three beats
      await database.replicaLeave(context.replicaId).catch(() => undefined);
    },
  };
}
