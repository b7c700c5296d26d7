import { forgetLastRun } from '@trademind/core';
import Bottleneck from 'bottleneck';
import { FlyError, type FlyClient } from '@trademind/fly';

/** Fly's own limits of one action on one machine or app, requests per second and at once. Source: Fly's documentation of the Machines API. */
const PER_THING = { action: { perSecond: 1, burst: 3 }, read: { perSecond: 5, burst: 10 } } as const;
/** The whole budget is handed out in slices of this length, so that a second does not begin with all of it at once. */
const SLICE_MS = 250;
const NO_LIMIT: ReadonlySet<string> = new Set(['apps.create', 'apps.delete']);
/**
 * Apps deleted in any minute by the whole organisation: Fly takes 100 (same source); what is under way when a minute ends needs some of that. Some at once and the rest evenly, so that no minute, wherever it begins, has more.
 * Longer than `MOST_WAIT_MS` none is waited for: a look that waits has a place that another user's machine needs.
 */
const DELETES = { perMinute: 90, burst: 10 } as const;
const MOST_WAIT_MS = 2_000;

export interface BudgetOptions {
  /** Requests per second that all replicas together may send. */
  perSecond: number;
  now: () => number;
  sleep: (ms: number) => Promise<unknown>;
}

export interface FlyBudget {
  /** The client, each call of it within the budget. */
  spend(fly: FlyClient): FlyClient;
  /** So many replicas live: this one has its share. */
  share(replicas: number): void;
  stop(): Promise<void>;
}

type Method = (...args: unknown[]) => Promise<unknown>;

/** One replica's share of what Fly allows: in all, held by a Bottleneck, and for each action on each thing. */
export function createFlyBudget({ perSecond, now, sleep }: BudgetOptions): FlyBudget {
  const slice = (replicas: number) => Math.max(1, Math.floor((perSecond / Math.max(1, replicas)) * (SLICE_MS / 1_000)));
  let allowed = slice(1);
  // who comes while there is room goes at once; behind it the others wait in a Bottleneck, whose every job costs milliseconds of timers
  let room = allowed;
  let given = 0;
  const limiter = new Bottleneck({ reservoir: 0 });
  const waiting = () => !limiter.empty();
  // by hand: Bottleneck's own refresh ends for good when its settings are changed (2.19.5)
  const refill = setInterval(() => {
    const free = waiting() ? 0 : allowed;
    if (given === 0 && free > 0) {
      room = free;
      return;
    }
    // what was left to those who waited is taken back before others may go
    room = 0;
    given = allowed - free;
    forgetLastRun(limiter);
    // its types do not say so, but this is a promise
    void Promise.resolve<unknown>(limiter.updateSettings({ reservoir: given })).then(() => { room = free; });
  }, SLICE_MS);
  refill.unref();
  const schedule = <T>(job: () => Promise<T>): Promise<T> => {
    if (room <= 0 || waiting()) {
      forgetLastRun(limiter);
      return limiter.schedule(job);
    }
    room -= 1;
    return job();
  };
  const turns = new Turns(now);
  const deletes = new Turns(now);
  let deleteLimit = shareOfDeletes(1);
  // replicas look at one machine in turn, and may do so within a second: what each look reads once is counted by none of them for the others
  let looked: Limit = PER_THING.action;

  const wrap = (name: string, method: Method): Method => async (...args) => {
    const [app, machine] = args;
    // the first argument of all but the lists of apps and of the organisation is the app, the second of a machine's verbs the machine
    const thing = typeof machine === 'string' && /^(machines|leases)\./.test(name) ? machine : typeof app === 'string' ? app : '';
    const waitMs = name === 'apps.delete' ? deletes.take(deleteLimit, name, MOST_WAIT_MS) : NO_LIMIT.has(name) || thing === '' ? 0 : turns.take(name === 'machines.get' ? PER_THING.read : /\.(get|list)$/.test(name) ? looked : PER_THING.action, `${name}:${thing}`);
    if (name === 'apps.delete' && waitMs > MOST_WAIT_MS) {
      throw new FlyError({ code: 'fly_rate_limited', message: `delete the app ${thing}: more in a minute than Fly takes`, nextStep: 'Wait and repeat more slowly.', retryable: true, retryAfterMs: waitMs });
    }
    if (waitMs > 0) await sleep(waitMs);
    return schedule(() => method(...args));
  };
  const wrapGroup = <T extends object>(group: string, methods: T): T => Object.fromEntries(Object.entries(methods).map(([name, method]) => [
    name, typeof method === 'function' ? wrap(`${group}.${name}`, method as Method) : method,
  ])) as T;

  return {
    spend: (fly) => ({
      ...fly,
      apps: wrapGroup('apps', fly.apps), machines: wrapGroup('machines', fly.machines), leases: wrapGroup('leases', fly.leases), volumes: wrapGroup('volumes', fly.volumes),
      secrets: wrapGroup('secrets', fly.secrets), ipAssignments: wrapGroup('ipAssignments', fly.ipAssignments),
      listOrgMachines: (query, options) => schedule(() => fly.listOrgMachines(query, options)),
    }),
    share: (replicas) => { allowed = slice(replicas); deleteLimit = shareOfDeletes(replicas); looked = { ...PER_THING.action, burst: Math.max(1, Math.floor(PER_THING.action.burst / Math.max(1, replicas))) }; },
    stop: async () => { clearInterval(refill); await limiter.stop({ dropWaitingJobs: true }); },
  };
}

/** What one of so many replicas may delete: all together stay below Fly's limit in every minute, what they do at once included. */
function shareOfDeletes(replicas: number): Limit {
  const mine = DELETES.perMinute / Math.max(1, replicas);
  const burst = Math.max(1, Math.floor(DELETES.burst / Math.max(1, replicas)));
  return { burst, perSecond: Math.max(mine / 10, mine - burst) / 60 };
}

interface Limit { perSecond: number; burst: number }

/** When each thing may be asked next: token buckets that answer how long to wait (ms). Those that are full again are forgotten. */
class Turns {
  readonly #now: () => number;
  readonly #buckets = new Map<string, { tokens: number; at: number }>();
  constructor(now: () => number) { this.#now = now; }

  /** A wait that is longer than `mostMs` takes no turn. */
  take({ perSecond, burst }: Limit, key: string, mostMs = Infinity): number {
    const now = this.#now();
    const before = this.#buckets.get(key) ?? { tokens: burst, at: now };
    const tokens = Math.min(burst, before.tokens + ((now - before.at) / 1_000) * perSecond);
    const waitMs = tokens >= 1 ? 0 : Math.ceil(((1 - tokens) / perSecond) * 1_000);
    this.#buckets.set(key, { tokens: waitMs > mostMs ? tokens : tokens - 1, at: now });
    if (this.#buckets.size > 20_000) for (const [name, bucket] of this.#buckets) if (now - bucket.at > 10_000) this.#buckets.delete(name);
    return waitMs;
  }
}
